"""`q1lab completion bash | zsh | fish`: click's own completion, as a script to source."""

from __future__ import annotations

import click

WHERE = {
    "bash": '# in ~/.bashrc:  eval "$(q1lab completion bash)"',
    "zsh": '# in ~/.zshrc:  eval "$(q1lab completion zsh)"',
    "fish": "# q1lab completion fish > ~/.config/fish/completions/q1lab.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(WHERE)))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    Example: eval "$(q1lab completion bash)"
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # one of the three above
    everything = click.get_current_context().find_root().command
    script = found(everything, {}, "q1lab", "_Q1LAB_COMPLETE")
    click.echo(WHERE[shell])
    # A shell asks its own version first; the script is the same, so none is run here.
    click.echo(script.source_template % script.source_vars())

"""Real launchers: Slurm, Ray and ssh, each started on this machine for the tests alone."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

SLURM = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmctldPort={port}
SlurmdPort={other_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def needs(*programs: str) -> None:
    """Skip where one of the programs is not installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def start(stack: ExitStack, words: list[str], log: Path) -> None:
    """Run a server until the stack ends."""
    with log.open("wb") as output:
        server = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
    stack.callback(server.wait, 20)
    stack.callback(server.terminate)


def until_it_works(words: list[str]) -> None:
    """Wait for a server: until the command ends with status 0."""
    deadline = time.monotonic() + 200  # Ray's agent takes its time
    while (done := subprocess.run(words, capture_output=True, timeout=60)).returncode:
        assert time.monotonic() < deadline, done.stderr.decode()
        time.sleep(0.5)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`srun` on a Slurm of this machine."""
    needs("slurmctld", "slurmd", "munged", "srun")
    if os.geteuid():
        pytest.skip("slurmd starts jobs as root only")
    folder = tmp_path_factory.mktemp("slurm", numbered=True)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    values = {"host": host, "user": "root", "folder": folder}
    config = folder / "slurm.conf"
    config.write_text(SLURM.format(**values, port=free_port(), other_port=free_port()))
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    os.environ["SLURM_CONF"] = str(config)
    munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munge += [f"--{kind}-file={folder}/munge.{kind}" for kind in ("pid", "log", "seed")] + [
        f"--socket={folder}/munge.socket"
    ]
    with ExitStack() as stack:
        stack.callback(os.environ.pop, "SLURM_CONF")
        start(stack, munge, folder / "munge.out")
        start(stack, ["slurmctld", "-D", "-c"], folder / "slurmctld.log")
        start(stack, ["slurmd", "-D", "-N", host], folder / "slurmd.log")
        until_it_works(["srun", "-Q", "-n1", "true"])
        yield "srun -Q -n1 --job-name={run}"


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`ssh` to this machine, over a server and a key of the tests."""
    server = shutil.which("sshd") or "/usr/sbin/sshd"
    needs(server, "ssh", "ssh-keygen")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin yes\nAcceptEnv FAKE_TRAIN\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        **{"IdentityFile": folder / "user", "UserKnownHostsFile": folder / "known"},
        **{"StrictHostKeyChecking": "no", "SendEnv": "FAKE_TRAIN", "LogLevel": "ERROR"},
        **{"BatchMode": "yes"},
    }
    words = ["ssh", "-F", "none", "-p", str(port)]
    words += [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    words.append("127.0.0.1")
    with ExitStack() as stack:
        start(stack, [server, "-D", "-e", "-f", str(config)], folder / "sshd.log")
        until_it_works([*words, "true"])
        yield " ".join(words)


@pytest.fixture(scope="session")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ray's job client on a cluster of this machine; RAY names its command."""
    program = os.environ.get("RAY", "ray")
    needs(program)
    folder = tmp_path_factory.mktemp("ray")
    port = free_port()
    words = [program, "start", "--head", "--block", "--num-cpus=2", "--disable-usage-stats"]
    words += [f"--port={free_port()}", f"--dashboard-port={port}", "--dashboard-host=127.0.0.1"]
    # 127.0.0.1 would become the address of the network card
    words += [f"--temp-dir={folder}/r", "--node-ip-address=127.0.0.2"]
    for name in ("dashboard-agent-listen", "dashboard-agent-grpc", "metrics-export"):
        words.append(f"--{name}-port={free_port()}")
    client = [program, "job", "submit", "--address", f"http://127.0.0.1:{port}"]
    with ExitStack() as stack:
        start(stack, words, folder / "ray.log")
        until_it_works([*client, "--", "true"])
        yield " ".join([*client, "--"])


@pytest.fixture(params=["slurm", "ssh", "ray"])
def launcher(request: pytest.FixtureRequest) -> str:
    """The words of each launcher in turn."""
    words: str = request.getfixturevalue(request.param)
    return words

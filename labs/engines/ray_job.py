"""Runs on the cluster as the job's driver: one Ray task per cell. Imports ray and the standard
library only; q1lab is not there.

``python labs/engines/ray_job.py CELL …`` in a working directory with study/ (study.json, source/),
data/, labs/. What happens is printed as numbered JSON lines, so it is in the driver's log, which
Ray's dashboard serves: a client needs no shared disk, no second port and no Ray.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

try:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ModuleNotFoundError as error:
    sys.exit(
        f"{sys.executable} runs this job and has no module {error.name}: start Ray with a PATH "
        "on which the Python that has it comes first"
    )


class Died(Exception):
    """Raised so that Ray runs the cell again: by itself it does so for dead workers and nodes
    only."""


class Mail:
    """Numbers the lines and the attempts. It lives with the driver and outlives any worker, so
    that what a dead worker had passed on is known."""

    def __init__(self, attempts, cells):
        self.out, self.n, self.stopping = [], 0, False
        self.attempts, self.have, self.first = dict(attempts), {}, dict(attempts)
        self.nodes, self.done = set(), set()
        for cell in cells:  # here, since a worker's word may come before one of the driver's
            self.say(cell, state="queued")

    def say(self, cell, **more):
        self.n += 1
        self.out.append(json.dumps({"n": self.n, "cell": cell, **more}))

    def begin(self, cell, node):
        """This attempt's number, and how many bytes of this node's events are here already. None
        where the cell had its last word and only Ray's own answer was lost."""
        if cell in self.done:
            return None
        self.attempts[cell] = self.attempts.get(cell, 0) + 1
        is_retry = self.attempts[cell] - self.first.get(cell, 0) > 1
        why = "the worker or its node was lost" if is_retry else ""
        self.say(cell, state="running", attempt=self.attempts[cell], node=node, why=why)
        self.nodes.add(node)
        return self.attempts[cell], self.have.get((cell, node), 0)

    def put(self, cell, node, offset, lines):
        for line in lines:
            self.say(cell, event=line)
            if has_ended(line):
                self.done.add(cell)
        self.have[cell, node] = offset
        return self.stopping

    def stop(self):
        self.stopping = True

    def drain(self):
        out, self.out = self.out, []
        return out

    def to_clear(self):
        """Nodes whose folders are not needed any more: all, once every cell had its last word.
        Before that a checkpoint in one of them may still be gone on from."""
        return self.nodes if set(self.attempts) <= self.done else set()


def has_ended(line):
    """True if an event closes a run for good."""
    try:
        event = json.loads(line)
    except ValueError:
        return False
    return event.get("type") == "exit" and event.get("state") in ("finished", "diverged")


def scratch_of(study, storage):
    """A folder for this study, and the name of the place it is in: this node, where a second
    attempt finds it again, or a storage that all nodes share, where one on another node does."""
    node = "" if storage else ray.util.get_node_ip_address()
    base = pathlib.Path(storage or tempfile.gettempdir())
    folder = base / f"q1lab-{os.getuid()}" / node / study
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder, node or "storage"


def lay_out(scratch):
    """Copy the working directory's study, data and labs, once per place and job: a trainer that
    starts may read them. Each file appears whole."""
    package = pathlib.Path.cwd()
    study = scratch / "studies" / "it"
    with (scratch / "lay").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if lock.read() != package.name:  # which Ray names by its content
            places = {"data": scratch / "data", "labs": scratch / "labs", "study": study}
            for part, to in places.items():
                shutil.copytree(package / part, to, dirs_exist_ok=True, copy_function=copy)
            lock.truncate(0)
            lock.write(package.name)
    return study


def copy(source, to):
    shutil.copyfile(source, f"{to}.new")
    pathlib.Path(f"{to}.new").replace(to)


def clear(study, storage):
    """Remove this study's folder from this node."""
    shutil.rmtree(scratch_of(study, storage)[0], ignore_errors=True)


def behind(events, last):
    """Where an earlier job's lines end that the client has already: behind the last one it has. A
    file without that line has nothing for it, since it went on elsewhere."""
    data, line = events.read_bytes(), last.encode() + b"\n"
    line_start = data.rfind(line) if last else -1
    return line_start + len(line) if line_start >= 0 else len(data)


def train(cell, mail, how):
    """One cell in a process of its own. Its stdin is a leash: when this worker is killed, the
    trainer sees it end, keeps a checkpoint and goes. A second attempt on the same node waits for
    the cell's lock, and goes on from that checkpoint."""
    scratch, node = scratch_of(how["study"], how["storage"])
    study = lay_out(scratch)
    events = study / "runs" / cell / "events.jsonl"
    with (scratch / f"lock-{cell}").open("w") as lock:
        # an orphaned trainer holds it until it has written its last word
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = ray.get(mail.begin.remote(cell, node))
        if begun is None:
            return
        attempt, offset = begun
        if not how["attempts"].get(cell) and attempt == 1:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(events.parent)
        elif not offset and events.exists():
            offset = behind(events, how["last"].get(cell, ""))
        threads = str(how["threads"])
        env = dict(os.environ, PYTHONPATH=str(scratch), PYTHONUNBUFFERED="1")
        env.update(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
        child = subprocess.Popen(
            [*how["trainer"], study, "--only", cell, "--attempt", str(attempt), "--leash"],
            stdin=subprocess.PIPE,
            cwd=scratch,
            env=env,
            pass_fds=[lock.fileno()],
        )
        stop_sent, last = False, b""
        while True:
            over = child.poll() is not None
            block = b""
            with contextlib.suppress(FileNotFoundError), events.open("rb") as file:
                file.seek(offset)
                block = file.read(1 << 20)
            block = block[: block.rfind(b"\n") + 1]
            offset += len(block)
            lines = block.decode(errors="replace").splitlines()
            last = block.rstrip(b"\n").rpartition(b"\n")[2] or last
            if ray.get(mail.put.remote(cell, node, offset, lines)) and not stop_sent:
                child.terminate()
                stop_sent = True
            if over and not block:
                break
            time.sleep(0.2)
        if child.returncode and not stop_sent and b'"exit"' not in last:
            raise Died(f"the trainer ended with status {child.returncode} and no result")


def keeping_its_place(cell, mail, how):
    """``train`` beside the main thread: while that one waits for an answer Ray takes the task's CPU
    back, and starts another run on it."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        executor.submit(train, cell, mail, how).result()


def probe(how):
    """Try the model files here, on a machine that would train them."""
    with pathlib.Path("probe/question.json").open() as question:
        done = subprocess.run(
            how["probe"],
            stdin=question,
            capture_output=True,
            text=True,
            env=dict(os.environ, PYTHONPATH=str(pathlib.Path.cwd())),
            timeout=280,
            check=False,
        )
    try:
        return json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        where = shutil.which(how["probe"][0]) or how["probe"][0]
        return {"error": f"{where} on {socket.gethostname()}: {last}"[:500]}


def place_for_a_look(how):
    """The place that Ray is asked for when it runs the probe: on a node that has what a run needs,
    beside whatever trains there, so that a full cluster answers too."""
    fit = [
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"]
        and node["Resources"].get("CPU", 0) >= how["cpus"]
        and node["Resources"].get("GPU", 0) >= how["gpus"]
    ]
    # without it, older Rays hide a node's GPUs from whoever takes none
    seen = {"env_vars": {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}} if how["gpus"] else None
    where = NodeAffinitySchedulingStrategy(fit[0], soft=False) if fit else None
    return {"num_cpus": 0, "scheduling_strategy": where, "runtime_env": seen}


def main():
    cells, how = sys.argv[1:], json.loads(os.environ["Q1LAB_HOW"])
    ray.init(log_to_driver=False, logging_level="warning")
    if cells == ["probe"]:
        answer = ray.get(ray.remote(**place_for_a_look(how))(probe).remote(how))
        print(json.dumps({"n": 1, "cell": "", "answer": answer}), flush=True)
        return
    with_me = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    post = ray.remote(num_cpus=0, scheduling_strategy=with_me)(Mail)
    mail = post.remote(how["attempts"], cells)

    held_back, waiting = iter(cells), {}

    def stop(*_):
        list(held_back)  # none of them begins any more
        mail.stop.remote()

    def say():
        for line in ray.get(mail.drain.remote()):
            print(line, flush=True)

    signal.signal(signal.SIGTERM, stop)
    task = ray.remote(
        num_cpus=how["cpus"],
        num_gpus=how["gpus"],
        max_retries=how["retries"],
        retry_exceptions=[Died],
    )(keeping_its_place)
    while True:
        for cell in itertools.islice(held_back, how["at_once"] - len(waiting)):
            waiting[task.options(name=cell).remote(cell, mail, how)] = cell
        if not waiting:
            break
        done, _ = ray.wait(list(waiting), timeout=0.3)
        for ref in done:
            cell = waiting.pop(ref)
            try:
                ray.get(ref)
                ray.get(mail.say.remote(cell, state="ended"))
            except Exception as error:
                why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:300]
                ray.get(mail.say.remote(cell, state="lost", why=why))
        say()
    alive = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]} | {"storage"}
    clearing = [
        ray.remote(num_cpus=0, max_retries=0)(clear)
        .options(resources={} if node == "storage" else {f"node:{node}": 0.001})
        .remote(how["study"], how["storage"])
        for node in alive & ray.get(mail.to_clear.remote())
    ]
    if clearing:
        ray.wait(clearing, num_returns=len(clearing), timeout=5)
    ray.get(mail.say.remote("", state="over"))
    say()


if __name__ == "__main__":
    main()

"""A Slurm on loopback for tests: no systemd, own ports, everything under one folder, and ended by
the process ids that it wrote. Its nodes are daemons of this one machine. Jobs of the partition
``urgent`` take the CPUs of others: those of ``main`` are put back into the queue, those of ``spare``
are ended."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

CONF = """\
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={root}/run/munge.socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool.%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=5
MinJobAge=300
MaxArraySize={array}
MaxJobCount=20000
SchedulerParameters=defer,batch_sched_delay=1,sched_interval=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES State=UP
PartitionName=spare Nodes=ALL State=UP PreemptMode=CANCEL
PartitionName=urgent Nodes=ALL State=UP PriorityTier=2
"""

NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} "
    "RealMemory=2000\n"
)

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun")


def missing() -> list[str]:
    """Programs of Slurm that this machine lacks."""
    place = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=place) is None]


class Slurm:
    """Start it with ``up``; ``down`` ends it. ``conf`` goes into SLURM_CONF."""

    def __init__(self, root: Path, *, nodes: int = 1, cpus: int = 2, array: int = 1001) -> None:
        self.root, self.conf = root, root / "slurm.conf"
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        for name in (*(f"spool.{node}" for node in self.nodes), "state", "log", "run"):
            (root / name).mkdir(parents=True, exist_ok=True)
        root.chmod(0o755)
        (root / "run").chmod(0o755)
        for name in ("state", "log"):
            (root / name).chmod(0o700)
        port = free_ports(1 + nodes)
        host = socket.gethostname().partition(".")[0]
        user = getpass.getuser()
        text = CONF.format(host=host, port=port, user=user, root=root, array=array)
        for number, node in enumerate(self.nodes, port + 1):
            text += NODE.format(name=node, host=host, port=number, cpus=cpus)
        self.conf.write_text(text)
        key = root / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.env = {**os.environ, "SLURM_CONF": str(self.conf)}
        self.env["PATH"] += ":/usr/sbin:/sbin"

    def up(self) -> None:
        run, log = self.root / "run", self.root / "log"
        self._run(
            "munged",
            "--force",
            f"--key-file={self.root}/munge.key",
            f"--socket={run}/munge.socket",
            f"--pid-file={run}/munged.pid",
            f"--log-file={log}/munged.log",
            f"--seed-file={run}/munged.seed",
        )
        self.controller()
        for node in self.nodes:
            self._run("slurmd", "-f", str(self.conf), "-N", node)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done = subprocess.run(
                ["sinfo", "-h", "-o", "%t"],
                env=self.env,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.stdout.startswith(("idle", "mix", "alloc")):
                return
            time.sleep(0.2)
        raise RuntimeError(f"Slurm did not come up: see {log}")

    def controller(self) -> None:
        """Start slurmctld, the first time or again."""
        self._run("slurmctld", "-f", str(self.conf), "-i")

    def kill(self, name: str) -> None:
        """End one daemon at once, as when its machine fails."""
        self._signal(name, signal.SIGKILL)

    def down(self) -> None:
        daemons = ("slurmctld", *(f"slurmd.{node}" for node in self.nodes), "munged")
        for name in daemons:
            self._signal(name, signal.SIGTERM)
        time.sleep(0.5)
        for name in daemons:
            self._signal(name, signal.SIGKILL)

    def _signal(self, name: str, number: signal.Signals) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.root / "run" / f"{name}.pid").read_text()), number)

    def _run(self, *command: str) -> None:
        subprocess.run(
            command,
            env=self.env,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that nobody listens on."""
    for start in range(26817, 29000, count):
        try:
            for port in range(start, start + count):
                with socket.socket() as server:
                    server.bind(("127.0.0.1", port))
            return start
        except OSError:
            continue
    raise RuntimeError("no free ports")

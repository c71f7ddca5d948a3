"""The two environments of grpo.py. Both run all flows of a round in lock-step and answer with the same tensors.

`seconds` is the time that the script has spent in them.
"""

import fcntl
import json
import struct
import subprocess
import sys
import time

import numpy as np
import torch

from retail.environment import RetailEnvironment


class PythonEnvironment:
    """Flows in this process: bench/peers/retail on a file of bench/train/export-main.ts."""

    def __init__(self, path):
        self._flows = RetailEnvironment(path)
        self.seconds = 0.0
        self.spec, self.job, self.tasks = self._flows.spec, self._flows.job, self._flows.tasks
        self.parameters = {name: torch.from_numpy(values.copy()) for name, values in self._flows.parameters.items()}

    def train(self, group_size, sequences):
        return self._timed(self._flows.train, group_size, sequences)

    def evaluate(self):
        return self._timed(self._flows.evaluate)

    def step(self, actions):
        return self._timed(self._flows.step, actions.tolist())

    def learn(self, flows):
        return self._timed(self._flows.learn, flows.tolist())

    def close(self):
        pass

    def _timed(self, method, *arguments):
        begun = time.perf_counter()
        arrays = method(*arguments)
        self.seconds += time.perf_counter() - begun
        return {name: torch.from_numpy(values) for name, values in arrays.items()}


class NodeEnvironment:
    """Flows in a child process; the protocol is bench/train/protocol.ts."""

    def __init__(self, command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # Answers are often larger than the usual 64 KiB of a pipe, and the child would write them in pieces.
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self.child.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.seconds = 0.0
        hello = json.loads(bytes(self._read()))
        self.spec, self.job, self.tasks = hello["spec"], hello["job"], hello["tasks"]
        self.answers = hello["answers"]
        values = np.frombuffer(self._read(), dtype=np.float32)
        self.parameters = {
            t["name"]: torch.from_numpy(values[t["offset"] : t["offset"] + t["size"]].reshape(t["shape"]).copy())
            for t in hello["tensors"]
        }

    def train(self, group_size, sequences):
        return self._ask("standing", [1, group_size, *sequences])

    def evaluate(self):
        return self._ask("standing", [2, 1, *range(self.tasks["heldOut"])])

    def step(self, actions):
        return self._ask("standing", np.concatenate([[3], actions]))

    def learn(self, flows):
        return self._ask("learnable", np.concatenate([[4], flows]))

    def close(self):
        self.child.stdin.close()
        self.child.wait(10)

    def _ask(self, kind, words):
        begun = time.perf_counter()
        payload = np.asarray(words, dtype=np.int32).tobytes()
        self.child.stdin.write(struct.pack("<I", len(payload)) + payload)
        self.child.stdin.flush()
        answer = self._read()
        self.seconds += time.perf_counter() - begun
        count = struct.unpack_from("<i", answer)[0]
        lengths = np.frombuffer(answer, np.int32, count, 4)
        at = 4 + 4 * count
        arrays = {}
        for (name, kind), length in zip(self.answers[kind], lengths):
            arrays[name] = torch.from_numpy(np.frombuffer(answer, kind, length, at))
            at += 4 * int(length)
        return arrays

    def _read(self):
        (length,) = struct.unpack("<I", self._exactly(4))
        return self._exactly(length)

    def _exactly(self, length):
        data = bytearray(length)
        view, at = memoryview(data), 0
        while at < length:
            got = self.child.stdout.readinto(view[at:])
            if not got:
                sys.exit("the environment has ended")
            at += got
        return data

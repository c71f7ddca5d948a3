"""The flows of a round in lock-step, in this process: what bench/train/environment.ts does in a process of its own.

It reads the file of bench/train/export-main.ts: the shop, the tasks in the order in which the job draws them, the policy's
sizes and its initial weights. What a flow does with them is the Python of this folder.
"""

import base64
import json

import numpy as np

from .analyzer import analyze
from .batch import Texts, flatten
from .flow import Flow
from .memory import CLAUSE_TOOLS, GLOBAL_TOOLS, ITEM_FEATURES, STATE_FEATURES
from .tokens import Tokenizer
from .tools import gold_changes
from .world import World


class Task:
    """A task taken apart: its message, its clauses' tokens, and the changes it asks for. Made once for all its flows."""

    __slots__ = ("analysis", "tokens", "gold")

    def __init__(self, task, world, tokenizer):
        self.analysis = analyze(task["instruction"], world.product_names)
        self.tokens = [tokenizer.tokens(clause.text) for clause in self.analysis.clauses]
        self.gold = gold_changes(world, task["actions"])


class Group:
    """The flows of one task: equal observations of theirs are one row. `seen` has the rows by flags, in the order of rows."""

    __slots__ = ("task", "seen", "texts")

    def __init__(self, task, texts):
        self.task = task
        self.seen = {}
        self.texts = [texts.number(tokens) for tokens in task.tokens]


class RetailEnvironment:
    """Answers are dicts of arrays, named as in bench/train/protocol.ts."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            exported = json.load(file)
        self.spec, self.job = exported["spec"], exported["job"]
        _check(self.spec, exported["features"])
        values = np.frombuffer(base64.b64decode(exported["weights"]), np.dtype("<f4"))
        self.parameters = {
            tensor["name"]: values[tensor["offset"] : tensor["offset"] + tensor["size"]].reshape(tensor["shape"])
            for tensor in exported["tensors"]
        }
        self._world = World(**exported["world"])
        self._tokenizer = Tokenizer(self.spec["text"]["buckets"], self.spec["text"]["maxLength"])
        self._train, self._held_out, self._order = exported["train"], exported["heldOut"], exported["order"]
        self.tasks = {"train": len(self._train), "heldOut": len(self._held_out)}
        self._known = {}
        self._flows, self._waiting = [], []

    def train(self, group_size, sequences):
        """Starts `group_size` flows for each of these positions in the job's sequence of requests."""
        return self._reset(group_size, [("train", self._order[sequence]) for sequence in sequences])

    def evaluate(self, tasks=None):
        """Starts a flow for each held-out task, or for those of these indices."""
        return self._reset(1, [("held out", index) for index in (range(len(self._held_out)) if tasks is None else tasks)])

    def step(self, actions):
        """Gives each flow that waits its action, in the order in which the last answer named them."""
        if len(actions) != len(self._waiting):
            raise ValueError(f"{len(self._waiting)} flows wait for an action, got {len(actions)}")
        going, ended = [], []
        for flow, action in zip(self._waiting, actions):
            (going if flow.take(action) else ended).append(flow)
        return self._standing(going, ended)

    def learn(self, flows):
        """Everything that these flows of the round decided on, as one batch."""
        chosen = [self._flows[number] for number in flows]
        used = {}
        for flow in chosen:
            used.setdefault(flow.group, set()).update(flow.rows)
        index, observations = {}, []
        for group, rows in used.items():
            for flags, row in group.seen.items():
                if row in rows:
                    index[row] = len(observations)
                    observations.append((group.texts, flags))
        return {
            "lengths": np.array([len(flow.rows) for flow in chosen], np.int32),
            "observations": np.array([index[row] for flow in chosen for row in flow.rows], np.int32),
            **flatten(observations, []),
        }

    def _reset(self, group_size, tasks):
        if self._waiting:
            raise RuntimeError("the flows of the last round have not all ended: step until they have")
        self._rows = 0
        self._texts = Texts()
        groups = [Group(self._task(*task), self._texts) for task in tasks]
        members = (group for group in groups for _ in range(group_size))
        self._flows = [Flow(number, group, self._world) for number, group in enumerate(members)]
        return self._standing(self._flows, [])

    def _task(self, side, index):
        if (side, index) not in self._known:
            task = (self._train if side == "train" else self._held_out)[index]
            self._known[side, index] = Task(task, self._world, self._tokenizer)
        return self._known[side, index]

    def _standing(self, going, ended):
        self._waiting = going
        fresh = []
        for flow in going:
            group, flags = flow.group, flow.memory.flags()
            row = group.seen.get(flags)
            if row is None:
                row = group.seen[flags] = self._rows
                self._rows += 1
                fresh.append((group.texts, flags))
            flow.rows.append(row)
        successes = np.array([flow.succeeded() for flow in ended], np.int32)
        return {
            "flows": np.array([flow.number for flow in going], np.int32),
            "rows": np.array([flow.rows[-1] for flow in going], np.int32),
            "ended": np.array([flow.number for flow in ended], np.int32),
            "rewards": successes.astype(np.float32),
            "successes": successes,
            **flatten(fresh, self._texts.take_new()),
        }


def _check(spec, features):
    """The file must be one of the flow that is written here."""
    tools = [*((name, 0) for name in GLOBAL_TOOLS), *((name, 1) for name in CLAUSE_TOOLS)]
    if [(tool["name"], tool["arity"]) for tool in spec["tools"]] != tools:
        raise ValueError("the flow of the file has other tools than bench/peers/retail")
    if (features["state"], features["item"]) != (list(STATE_FEATURES), list(ITEM_FEATURES)):
        raise ValueError("the flow of the file has other features than bench/peers/retail")

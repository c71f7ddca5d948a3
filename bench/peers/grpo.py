"""Single-process GRPO in PyTorch: what Millrace's training is compared with by `npm run bench -- train`.

Same flow, tasks, split, network, initial weights and hyper-parameters as the cluster; fully synchronous. The flow is
TypeScript, so it runs in a child process (bench/train/environment-main.ts) in lock-step: all flows of a round wait for their
actions, one batched forward pass decides for all of them. The child hands over flat arrays that only have to be wrapped, each
distinct observation of a round once. Prints a line of JSON after every round and evaluation.

    python3 grpo.py [--seconds N] [--threads 1|2] -- node --import tsx bench/train/environment-main.ts examples/retail/job.yaml
"""

import argparse
import fcntl
import json
import os
import struct
import subprocess
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F


class Environment:
    """The child process that runs the flows; the protocol is bench/train/protocol.ts."""

    def __init__(self, command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # Answers are often larger than the usual 64 KiB of a pipe, and the child would write them in pieces.
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self.child.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.seconds = 0.0  # spent waiting for the child
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


class Planner(torch.nn.Module):
    """The planner network of src/policy/planner/network.ts with a bag of words as encoder; nothing is padded but the softmax."""

    def __init__(self, spec, parameters):
        super().__init__()
        self.spec = spec
        self.arities = [k for k in range(3) if f"arity{k}.tools.weight" in parameters]
        for name, values in parameters.items():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(values.clone()))

    def dense(self, name, x):
        weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias", None)
        return x @ weight if bias is None else torch.addmm(bias, x, weight)

    def encode(self, texts):
        """A vector for each text: the mean of its tokens' embeddings, zeros for an empty one."""
        return F.embedding_bag(texts.tokens, self.text_embedding, texts.offsets, mode="mean")

    def log_probabilities(self, b, pooled):
        """[observations, most actions]; -inf where an observation has fewer."""
        features = self.spec["features"]
        observations, items = len(b["actionStart"]) - 1, len(b["itemText"])
        flags = b["itemFlags"].view(items, features["item"])
        own = pooled.index_select(0, b["itemText"])
        # No item of this flow stands in a text of its observation: that part of the layer's input is zero.
        vectors = torch.tanh(self.dense("item", torch.cat([own, torch.zeros_like(own), flags], 1)))
        mean = vectors.new_zeros(observations, vectors.shape[1]).index_add(0, b["itemObservation"], vectors)
        mean = mean * b["itemShare"].unsqueeze(1)
        state = b["state"].view(observations, features["state"])
        whole = pooled.index_select(0, b["observationText"])
        context = torch.tanh(self.dense("context", torch.cat([whole, mean, state], 1)))
        scores = []
        for k in self.arities:
            total = self.dense(f"arity{k}_context", context).index_select(0, b[f"tuples{k}"])
            for j in range(k):
                total = total + self.dense(f"arity{k}_item{j}", vectors).index_select(0, b[f"tuples{k}item{j}"])
            scores.append(self.dense(f"arity{k}_tools", torch.tanh(total)).reshape(-1))
        flat = torch.cat(scores).index_select(0, b["actionScore"])
        open_actions = b["actionStart"].diff()
        mask = torch.arange(int(open_actions.max())) < open_actions.unsqueeze(1)
        padded = flat.new_full(mask.shape, -torch.inf).masked_scatter(mask, flat)
        return torch.log_softmax(padded, 1)


class Texts:
    """The texts of a round; number 0 is the empty one."""

    def __init__(self):
        self.tokens = torch.zeros(0, dtype=torch.int32)
        self.offsets = torch.zeros(1, dtype=torch.int32)

    def take(self, answer):
        """Takes new texts up and returns them."""
        lengths = answer["newTextLengths"]
        fresh = Texts()
        fresh.tokens, fresh.offsets = answer["newTokens"], (lengths.cumsum(0) - lengths).int()
        self.offsets = torch.cat([self.offsets, fresh.offsets + len(self.tokens)])
        self.tokens = torch.cat([self.tokens, fresh.tokens])
        return fresh


class Decided:
    """Log-probabilities of the distinct observations of a round, for weights that stay the same through it."""

    def __init__(self, planner):
        self.planner = planner
        self.texts = Texts()
        self.pooled = planner.encode(self.texts)
        self.rows = torch.empty(0, 0)

    def take(self, answer):
        """Computes what is new and returns the log-probabilities of every flow that waits."""
        if len(answer["newTextLengths"]) > 0:
            self.pooled = torch.cat([self.pooled, self.planner.encode(self.texts.take(answer))])
        if len(answer["actionStart"]) > 1:
            new = self.planner.log_probabilities(answer, self.pooled)
            width = max(new.shape[1], self.rows.shape[1])
            pad = lambda x: F.pad(x, (0, width - x.shape[1]), value=-torch.inf)
            self.rows = torch.cat([pad(self.rows), pad(new)])
        return self.rows.index_select(0, answer["rows"])


@torch.no_grad()
def rollout(environment, planner, answer, flows):
    """Samples every flow to its end: rewards, and (flow, action, log-probability) of all decisions, flow after flow."""
    decided = Decided(planner)
    rewards = torch.zeros(flows)
    decisions = []
    while True:
        rewards[answer["ended"].long()] = answer["rewards"]
        if len(answer["flows"]) == 0:
            break
        log_probs = decided.take(answer)
        actions = torch.multinomial(log_probs.exp(), 1)
        decisions.append((answer["flows"], actions.squeeze(1), log_probs.gather(1, actions).squeeze(1)))
        answer = environment.step(actions.numpy().ravel())
    flow, action, old = (torch.cat(column) for column in zip(*decisions))
    order = torch.sort(flow, stable=True).indices
    return rewards, flow[order].long(), action[order], old[order], decided.texts


@torch.no_grad()
def evaluate(environment, planner):
    """Share of held-out tasks solved greedily; no action is taken twice in the same situation."""
    decided = Decided(planner)
    answer = environment.evaluate()
    tried = {}
    successes = 0
    while True:
        successes += int(answer["successes"].sum())
        if len(answer["flows"]) == 0:
            return successes / environment.tasks["heldOut"]
        log_probs = decided.take(answer)
        best = log_probs.clone()
        # Each task is a group of its own, so a row is a situation of one flow.
        for i, row in enumerate(answer["rows"].tolist()):
            taken = tried.get(row, [])
            if len(taken) < int(torch.isfinite(log_probs[i]).sum()):
                best[i, taken] = -torch.inf
        actions = best.argmax(1)
        for row, action in zip(answer["rows"].tolist(), actions.tolist()):
            taken = tried.setdefault(row, [])
            if action not in taken:
                taken.append(action)
        answer = environment.step(actions.numpy())


def advantages_of(rewards, algorithm):
    """Group-relative advantages [groups, members]; exactly 0 where all rewards of a group are equal."""
    centred = rewards - rewards.mean(1, keepdim=True)
    if algorithm["std"] != "none":
        std = rewards.std(1, keepdim=True, unbiased=algorithm["std"] == "sample")
        centred = centred / (std + algorithm["epsilon"])
    spread = rewards.amax(1, keepdim=True) - rewards.amin(1, keepdim=True)
    return torch.where(spread > 1e-9, centred, torch.zeros_like(centred))


def loss_of(planner, learnable, texts, action, old, advantage, algorithm):
    """Clipped surrogate minus entropy bonus, averaged so that each trajectory (or decision) weighs the same."""
    log_probs = planner.log_probabilities(learnable, planner.encode(texts))
    finite = log_probs.masked_fill(log_probs == -torch.inf, 0.0)
    entropy = -(log_probs.exp() * finite).sum(1)
    observation = learnable["observations"].long()
    lengths = learnable["lengths"].long()
    ratio = (log_probs[observation, action] - old).clamp(-20, 20).exp()
    gain = advantage.repeat_interleave(lengths)
    clipped = ratio.clamp(1 - algorithm["clipLow"], 1 + algorithm["clipHigh"])
    surrogate = -torch.minimum(ratio * gain, clipped * gain)
    weight = (1.0 / lengths).repeat_interleave(lengths) if algorithm["aggregation"] == "trajectory" else torch.ones_like(gain)
    return (weight * (surrogate - algorithm["entropy"] * entropy.index_select(0, observation))).sum() / weight.sum()


class Trainer:
    """Rounds of sampling and one AdamW step each."""

    def __init__(self, environment):
        self.environment = environment
        self.job = environment.job
        self.planner = Planner(environment.spec, environment.parameters)
        options = self.job["optimizer"]
        self.optimizer = torch.optim.AdamW(
            self.planner.parameters(),
            lr=options["learningRate"],
            betas=(options["beta1"], options["beta2"]),
            eps=options["epsilon"],
            weight_decay=options["weightDecay"],
        )

    def round(self, number, update=True):
        rollouts = self.job["rollout"]
        groups, size = rollouts["groupsPerRound"], rollouts["groupSize"]
        answer = self.environment.train(size, range(number * groups, (number + 1) * groups))
        rewards, flow, action, old, texts = rollout(self.environment, self.planner, answer, groups * size)
        advantage = advantages_of(rewards.view(groups, size), self.job["algorithm"])
        signal = (advantage != 0).any(1).repeat_interleave(size)
        if update and signal.any():
            self.learn(number, signal.nonzero().squeeze(1), flow, action, old, advantage.view(-1), texts)
        return float(rewards.mean()), len(action)

    def learn(self, number, flows, flow, action, old, advantage, texts):
        learnable = self.environment.learn(flows.numpy())
        chosen = torch.isin(flow, flows)
        options = self.job["optimizer"]
        share = number / max(1, self.job["rounds"] - 1)
        for group in self.optimizer.param_groups:
            group["lr"] = options["learningRate"] * (1 + (options["finalLearningRate"] - 1) * share)
        self.optimizer.zero_grad(set_to_none=True)
        loss = loss_of(
            self.planner, learnable, texts, action[chosen], old[chosen], advantage[flows], self.job["algorithm"]
        )
        loss.backward()
        if options["maxGradientNorm"] > 0:
            torch.nn.utils.clip_grad_norm_(self.planner.parameters(), options["maxGradientNorm"])
        self.optimizer.step()


def fastest_threads(environment):
    """The number of threads with which a round of sampling and a backward pass take least time; weights are thrown away."""
    best = (float("inf"), 1)
    for threads in [n for n in (1, 2) if n <= (os.cpu_count() or 1)]:
        torch.set_num_threads(threads)
        trainer = Trainer(environment)
        rollouts = trainer.job["rollout"]
        groups, size = rollouts["groupsPerRound"], rollouts["groupSize"]
        for attempt in range(2):
            begun, waited = time.perf_counter(), environment.seconds
            answer = environment.train(size, range(groups))
            rewards, flow, action, old, texts = rollout(environment, trainer.planner, answer, groups * size)
            everyone = torch.arange(groups * size)
            trainer.learn(0, everyone, flow, action, old, torch.randn(groups * size), texts)
            own = time.perf_counter() - begun - (environment.seconds - waited)
        best = min(best, (own, threads))
    return best[1]


def tell(**values):
    print(json.dumps(values), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after this much training")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch; 0 tries 1 and 2")
    parser.add_argument("command", nargs="+", help="starts the environment")
    options = parser.parse_args()
    environment = Environment(options.command)
    job = environment.job
    threads = options.threads or fastest_threads(environment)
    torch.set_num_threads(threads)
    tell(start=True, threads=threads, torch=torch.__version__, train=environment.tasks["train"], heldOut=environment.tasks["heldOut"])
    torch.manual_seed(job["seed"])
    trainer = Trainer(environment)
    # Before the first round, as in the cluster; the clock starts after it.
    tell(round=0, trajectories=0, seconds=0, success=evaluate(environment, trainer.planner))
    each = job["rollout"]["groupsPerRound"] * job["rollout"]["groupSize"]
    environment.seconds = 0.0
    begun = time.perf_counter()
    for number in range(job["rounds"]):
        reward, decisions = trainer.round(number)
        seconds = time.perf_counter() - begun
        done = number + 1 == job["rounds"] or seconds >= options.seconds
        every = job["evaluation"]["every"]
        told = dict(round=number + 1, trajectories=(number + 1) * each, seconds=seconds, reward=reward, decisions=decisions)
        told["environmentSeconds"] = environment.seconds
        if done or (every > 0 and (number + 1) % every == 0):
            told["success"] = evaluate(environment, trainer.planner)
        tell(**told)
        if done:
            break
    environment.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

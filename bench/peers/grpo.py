"""Single-process GRPO in PyTorch: what Millrace's training is compared with by `npm run bench -- train`.

Same flow, tasks, split, network, initial weights and hyper-parameters as the cluster; fully synchronous. All flows of a round
run in lock-step: they wait for their actions, and one batched forward pass decides for all of them. The flow itself is either
in this process (bench/peers/retail) or Millrace's own in a child process (bench/train/environment-main.ts). Both hand over the
same flat arrays, each distinct observation of a round once. Prints a line of JSON after every round and evaluation.

    node --import tsx bench/train/export-main.ts retail.json bench/train/retail-grpo.yaml
    python3 grpo.py [--seconds N] [--threads 1|2] --retail retail.json
    python3 grpo.py [--seconds N] [--threads 1|2] -- node --import tsx bench/train/environment-main.ts bench/train/retail-grpo.yaml
"""

import argparse
import json
import os
import sys
import time

import torch

from environments import NodeEnvironment, PythonEnvironment
from policy import Decided, Planner


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


def loss_of(planner, learnable, texts, action, old, advantage, algorithm, entropy_weight):
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
    return (weight * (surrogate - entropy_weight * entropy.index_select(0, observation))).sum() / weight.sum()


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
        options, algorithm = self.job["optimizer"], self.job["algorithm"]
        share = number / max(1, self.job["rounds"] - 1)
        for group in self.optimizer.param_groups:
            group["lr"] = options["learningRate"] * (1 + (options["finalLearningRate"] - 1) * share)
        self.optimizer.zero_grad(set_to_none=True)
        loss = loss_of(
            self.planner,
            learnable,
            texts,
            action[chosen],
            old[chosen],
            advantage[flows],
            algorithm,
            algorithm["entropy"] * (1 + (algorithm["finalEntropy"] - 1) * share),
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
    parser.add_argument("--retail", metavar="FILE", help="flows in this process, on this file of bench/train/export-main.ts")
    parser.add_argument("command", nargs="*", help="flows in a child process, which this command starts")
    options = parser.parse_args()
    if (options.retail is None) == (not options.command):
        parser.error("give either --retail FILE or a command")
    environment = PythonEnvironment(options.retail) if options.retail else NodeEnvironment(options.command)
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

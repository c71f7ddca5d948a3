"""PyTorch's side of `npm run bench -- compute`: answers the questions of bench/compute/protocol.ts, one JSON line each."""

import json
import os
import resource
import sys
import time

try:
    import torch
except Exception as problem:  # noqa: BLE001 - an installation can be broken in many ways
    print(json.dumps({"unavailable": f"torch cannot be imported: {problem}"}), flush=True)
    sys.exit(0)

from planner import Planner, grpo_loss

DTYPES = {"int32": torch.int32, "float32": torch.float32}


def read_case(folder):
    with open(os.path.join(folder, "case.json"), encoding="utf8") as file:
        index = json.load(file)
    with open(os.path.join(folder, "case.bin"), "rb") as file:
        data = bytearray(file.read())
    arrays = {}
    for name, place in index["arrays"].items():
        count = 1
        for dimension in place["shape"]:
            count *= dimension
        dtype = DTYPES[place["dtype"]]
        values = torch.frombuffer(data, dtype=dtype, count=count, offset=place["offset"]) if count else torch.empty(0, dtype=dtype)
        # Index operations want 64 bits; converting here keeps it out of the clock.
        values = values.to(torch.int64) if dtype == torch.int32 else values.clone()
        arrays[name] = values.view(place["shape"])
    return index, arrays


class Case:
    """One network with its batch and optimiser."""

    def __init__(self, folder, learning_rate=None):
        index, arrays = read_case(folder)
        self.index = index
        prefix = "parameter "
        given = {name[len(prefix) :]: values for name, values in arrays.items() if name.startswith(prefix)}
        self.batch = {name: values for name, values in arrays.items() if not name.startswith(prefix)}
        self.derive()
        self.planner = Planner(given, index["spec"], index["heads"])
        options = index["optimizer"]
        self.options = {
            "lr": options["learningRate"] if learning_rate is None else learning_rate,
            "betas": (options["beta1"], options["beta2"]),
            "eps": options["epsilon"],
            "weight_decay": options["weightDecay"],
        }
        self.optimizer = None

    def derive(self):
        """What a program that prepares its batches once would have ready."""
        batch = self.batch
        texts, length = batch["tokens"].shape
        row = batch["atRow"]
        batch["tokensByTime"] = batch["tokens"].t().contiguous()
        batch["atRowByTime"] = (row % length) * texts + row // length
        batch["atToken"] = batch["tokens"].flatten()[row]
        batch["anyStands"] = bool(batch["stands"].any())
        batch["decision"] = batch["decisionObservation"] * self.index["actions"] + batch["decisionAction"]
        batch["totalWeight"] = float(batch["weight"].double().sum())

    def loss(self):
        return grpo_loss(self.planner(self.batch), self.batch, self.index["actions"], self.index["algorithm"])

    def gradient(self):
        self.planner.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        return loss

    def choose_optimizer(self):
        """The fastest AdamW this version has for these parameters."""
        self.gradient()
        kept = [parameter.detach().clone() for parameter in self.planner.parameters()]
        best = None
        for variant in ({"foreach": False}, {"foreach": True}, {"fused": True}):
            try:
                optimizer = torch.optim.AdamW(self.planner.parameters(), **self.options, **variant)
                optimizer.step()
            except (TypeError, RuntimeError):
                continue
            times = []
            for _ in range(25):
                begun = time.process_time()
                optimizer.step()
                times.append(time.process_time() - begun)
            if best is None or min(times) < best[0]:
                best = (min(times), variant)
        with torch.no_grad():
            for parameter, values in zip(self.planner.parameters(), kept):
                parameter.copy_(values)
        self.optimizer = torch.optim.AdamW(self.planner.parameters(), **self.options, **best[1])

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        # The loss is read, as anyone who trains does and as the other participants do.
        return loss.item()

    def scores(self):
        with INFERENCE():
            return self.planner(self.batch)


INFERENCE = getattr(torch, "inference_mode", torch.no_grad)


def load(folder):
    case = Case(folder)
    loss = case.gradient().item()
    norms = case.planner.norms()
    scores = case.scores().double()
    compared = case.index["compared"]
    moving = Case(folder, compared["learningRate"])
    moving.choose_optimizer()
    for _ in range(compared["steps"]):
        moving.step()
    with torch.no_grad():
        loss_after = moving.loss().item()
    case.choose_optimizer()
    return case, {"loss": loss, "lossAfter": loss_after, "norms": norms, "scores": [float(scores.sum()), float(scores.square().sum())]}


def timed(case, kind, repetitions, warmup):
    once = case.step if kind == "train" else case.scores
    result = {"wall": [], "cpu": []}
    for i in range(-warmup, repetitions):
        cpu, wall = time.process_time(), time.perf_counter()
        once()
        elapsed = time.perf_counter() - wall, time.process_time() - cpu
        if i >= 0:
            result["wall"].append(elapsed[0] * 1000)
            result["cpu"].append(elapsed[1] * 1000)
    return result


def run(case, steps):
    for _ in range(steps):
        case.step()
    return {"tensors": 0, "bytes": 0, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def blas():
    """Names of the libraries with matrix products that this process has loaded."""
    if torch.backends.mkl.is_available():
        return "MKL"
    try:
        with open("/proc/self/maps", encoding="utf8") as file:
            paths = {line.split()[-1] for line in file if "blas" in line}
    except OSError:
        return "unknown BLAS"
    names = sorted({os.path.basename(os.path.realpath(path)) for path in paths})
    return ", ".join(names) or "built-in BLAS"


def main():
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    torch.ones(8, 8) @ torch.ones(8, 8)
    print(json.dumps({"ready": f"PyTorch {torch.__version__} ({blas()}), {torch.get_num_threads()} thread"}), flush=True)
    case = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["op"] == "load":
                case, answer = load(request["folder"])
            elif request["op"] == "time":
                answer = timed(case, request["kind"], request["repetitions"], request["warmup"])
            else:
                answer = run(case, request["steps"])
        except Exception as problem:  # noqa: BLE001 - the harness prints it
            import traceback

            answer = {"error": f"{problem}\n{traceback.format_exc()}"}
        print(json.dumps(answer), flush=True)


main()

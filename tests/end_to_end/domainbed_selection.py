"""What DomainBed's collect_results.py computes, from its published description: DIR RULE -> one CSV line per test environment,
"environment,mean,standard error" in percent. Only Python's own library is needed."""
import itertools
import json
import math
import os
import sys
from collections import defaultdict


def load(folder):
    for name in os.listdir(folder):
        with open(os.path.join(folder, name, "results.jsonl")) as lines:
            yield from (json.loads(line) for line in lines)


def environments(record):
    return list(itertools.takewhile(lambda i: f"env{i}_out_acc" in record, itertools.count()))


def training_domain(records, target):
    def choice(record):
        outs = [record[f"env{i}_out_acc"] for i in environments(record) if i != target]
        return sum(outs) / len(outs), record[f"env{target}_in_acc"]

    single = [choice(r) for r in records if len(r["args"]["test_envs"]) == 1]
    return max(single, key=lambda c: c[0], default=None)


def oracle(records, target):
    single = sorted((r for r in records if len(r["args"]["test_envs"]) == 1), key=lambda r: r["step"])
    return (single[-1][f"env{target}_out_acc"], single[-1][f"env{target}_in_acc"]) if single else None


def leave_one_out(records, target):
    choices = []
    for step in sorted({r["step"] for r in records}):
        here = [r for r in records if r["step"] == step]
        single = [r for r in here if len(r["args"]["test_envs"]) == 1]
        accuracy = {}
        for record in here:
            if len(record["args"]["test_envs"]) == 2:
                (other,) = set(record["args"]["test_envs"]) - {target}
                accuracy[other] = record[f"env{other}_in_acc"]
        others = [i for i in environments(here[0]) if i != target]
        if len(single) == 1 and all(i in accuracy for i in others):
            choices.append((sum(accuracy[i] for i in others) / len(others), single[0][f"env{target}_in_acc"]))
    return max(choices, key=lambda c: c[0], default=None)


def main(folder, rule):
    groups = defaultdict(lambda: defaultdict(list))
    for record in load(folder):
        args = record["args"]
        for target in args["test_envs"]:
            groups[target, args["trial_seed"]][args["hparams_seed"]].append(record)
    trials = defaultdict(list)
    for (target, _), by_hparams in sorted(groups.items()):
        choices = [globals()[rule](by_hparams[seed], target) for seed in sorted(by_hparams)]
        choices = sorted((c for c in choices if c), key=lambda c: c[0])
        if choices:
            trials[target].append(choices[-1][1])
    for target, accuracies in sorted(trials.items()):
        mean = sum(accuracies) / len(accuracies)
        variance = sum((a - mean) ** 2 for a in accuracies) / len(accuracies)
        print(f"env{target},{100 * mean:.6f},{100 * math.sqrt(variance / len(accuracies)):.6f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

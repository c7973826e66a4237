"""This engine against Hugging Face's Trainer, and a ladder against its largest rung: both sides in one run, in turns,
on two CPU threads. Prints a table and writes it as JSON with all raw numbers; README.md says what is measured."""

import argparse
import json
import platform
import time
from importlib import metadata
from pathlib import Path

import encoder
import finetune
import ladder
import mlm
import parts
import places
import sizes as sizes_
import torch
import turns

from xlt_utils.training import hardware

PARTS = {"mlm": mlm.measure, "finetune": finetune.measure, "ladder": ladder.measure, "parts": parts.measure}
DEFAULT = "mlm,finetune,ladder"
TARGETS = {
    "mlm_tokens_per_second_ratio": "at least 3",
    "mlm_tokens_per_second_ratio_bf16": "at least 2",
    "mlm_loss_ratio": "at most 1.01",
    "finetune_examples_per_second_ratio": "at least 2.5",
    "finetune_accuracy_difference": "no worse within seed noise",
    "encoder_examples_per_second_ratio": "at least 3",
    "encoder_examples_per_second_ratio_bf16": "at least 2.5",
    "matmul_utilisation": "at least 0.5",
    "ladder_cost_ratio": "at most 1.25",
    "ladder_independent_cost_ratio": "",
}


def machine() -> dict:
    """What the numbers depend on besides the code."""
    packages = ("torch", "transformers", "accelerate", "datasets", "numpy")
    return {
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in packages},
        "threads": places.THREADS,
        "cpu": {
            "avx512": torch.cpu._is_avx512_supported(),
            "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
            "amx": torch.cpu._is_amx_tile_supported(),
        },
        "precision": hardware.precision(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything works")
    parser.add_argument("--only", default=DEFAULT, help=f"parts, of {', '.join(PARTS)}; default {DEFAULT}")
    parser.add_argument("--encoder", metavar="FOLDER", help="fine-tune this pretrained encoder instead of all else")
    parser.add_argument("--data", metavar="FOLDER", default="../shared/mirror", help="with nyu-mll/multi_nli, for that")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    if wrong := set(chosen) - set(PARTS):
        parser.error(f"--only: {', '.join(sorted(wrong))} is none of {', '.join(PARTS)}")
    sizes = sizes_.QUICK if arguments.quick else sizes_.FULL
    began = time.perf_counter()
    results = machine() | {"quick": arguments.quick}
    if results["precision"] == "fp32":
        print("no bf16 instructions: this engine trains, and the machine's rate is measured, in fp32", flush=True)
    if arguments.encoder:
        results |= encoder.measure(arguments.encoder, arguments.data)
    else:
        turns.alone(prepare, sizes)
        print(f"data ready after {time.perf_counter() - began:.0f} seconds", flush=True)
        for name in chosen:
            results |= PARTS[name](sizes)
    results["seconds"] = time.perf_counter() - began
    arguments.json.write_text(json.dumps(results, indent=1))
    show(results)


def prepare(sizes: sizes_.Sizes) -> None:
    """Write and encode the text before any side's time counts."""
    sizes_.text(sizes)
    sizes_.pairs(sizes)


def show(results: dict) -> None:
    """Print the results as a table."""
    for name, target in TARGETS.items():
        if name in results:
            print(f"{name:<40} {results[name]:>8.3f}  {target}")
    for rung in results.get("ladder_independent_difference", ()):
        low, high = rung["low"], rung["high"]
        print(f"rung of {rung['steps']:>4} steps, held-out loss  {rung['mean']:+.4f} [{low:+.4f}, {high:+.4f}]")
    for part in results.get("parts", ()):
        print(f"{part['what']:<40} {part['speed_up']:>8.2f}")
    print(f"in {results['seconds']:.0f} seconds")


if __name__ == "__main__":
    main()

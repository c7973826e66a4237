"""The device that trains and tests: which one, in which precision, with which attention kernel and how many threads."""

import ctypes
import gc
import os

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs


def device() -> torch.device:
    """The first CUDA device if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe() -> dict[str, str]:
    """What a record says of the device: its name as `device`, and its `precision`."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {"device": name, "precision": precision()}


def attention_kernel() -> str | None:
    """None on CUDA, where transformers takes PyTorch's fused attention for all architectures that have it; plain
    products on the CPU, where the fused kernel's backward pass takes longer than the forward pass saves at the lengths
    of a scratch encoder (a quarter of a training step at 64 tokens)."""
    return None if torch.cuda.is_available() else "eager"


def precision() -> str:
    """`bf16` if the device multiplies bf16 in hardware, else `fp32`; weights are fp32 either way."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def accelerator() -> Accelerator:
    """What places a training run on its devices and casts its products to `precision()`. The processes that loop.py
    starts share each batch."""
    one_head_a_step = DistributedDataParallelKwargs(find_unused_parameters=True)  # the other heads get no gradient
    return Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision={"bf16": "bf16", "fp32": "no"}[precision()],
        kwargs_handlers=[one_head_a_step],
    )


def prepare(threads: int) -> None:
    """Fix what a result depends on besides its seed: the CPU threads of this process and, on CUDA, deterministic
    kernels."""
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def free_memory() -> None:
    """Give back to the system what is no longer used. Python keeps a model that refers to itself until it looks for
    such circles, and the C library keeps what was freed: a process that trains one model after another would grow."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):  # glibc's
        libc.malloc_trim(0)


def autocast() -> torch.autocast:
    """The context in which this device's matrix products run in `precision()`."""
    return torch.autocast(device().type, torch.bfloat16, enabled=precision() == "bf16")

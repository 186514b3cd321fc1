"""Torch models that tests load by name, as a user's own module would hold them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Made = tuple[nn.Module, Any]
TEXT = "no function"


def settled(module: nn.Module) -> nn.Module:
    """Return a module with random parameters everywhere, so that no two constants are equal."""
    torch.manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            nn.init.uniform_(tensor.detach(), 0.5, 1.5)
    return module.eval()


class Residual(nn.Module):
    """A CNN: strided, depthwise, grouped and transposed convolutions, norms, pools, a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.depthwise = nn.Conv2d(width, width, 3, padding=2, dilation=2, groups=width)
        self.point = nn.Conv2d(width, width, 1)
        self.up = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(image)))
        x = x + F.hardswish(self.point(F.relu6(self.depthwise(x))))
        x = self.pool(self.up(x))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        logits: Tensor = self.head(x)
        return logits


def cnn(width: int = 8, side: int = 16) -> Made:
    return settled(Residual(width)), (torch.zeros(1, 3, side, side),)


class Block(nn.Module):
    """An embedding and a decoder block as GPT-2 has them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.words = nn.Embedding(100, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        batch, tokens, width = x.shape
        parts = self.qkv(self.norm(x)).chunk(3, -1)
        split = (batch, tokens, self.heads, width // self.heads)
        q, k, v = (part.view(split).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.down(F.gelu(self.up(x)))


def block(width: int = 32, tokens: int = 12) -> Made:
    return settled(Block(width, 4)), {"ids": torch.zeros(1, tokens, dtype=torch.int64)}


class Gated(nn.Module):
    """RMS norm, rotary positions, query heads that share keys, and a gated layer, as Llama has."""

    def __init__(self, width: int, heads: int, shared: int) -> None:
        super().__init__()
        self.heads, self.shared, size = heads, shared, width // heads
        self.gamma = nn.Parameter(torch.ones(width))
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, shared * size, bias=False)
        self.v = nn.Linear(width, shared * size, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, 2 * width, bias=False)
        self.up = nn.Linear(width, 2 * width, bias=False)
        self.down = nn.Linear(2 * width, width, bias=False)
        self.register_buffer("frequency", torch.ones(size // 2))

    def _heads(self, x: Tensor, count: int) -> Tensor:
        return x.view(*x.shape[:2], count, -1).transpose(1, 2)

    def _turned(self, x: Tensor, angle: Tensor) -> Tensor:
        left, right = x.chunk(2, -1)
        return x * angle.cos() + torch.cat((-right, left), -1) * angle.sin()

    def forward(self, x: Tensor) -> Tensor:
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.gamma
        positions = torch.arange(x.shape[1], dtype=torch.float32)
        angle = torch.outer(positions, self.frequency).repeat(1, 2)
        q = self._turned(self._heads(self.q(y), self.heads), angle)
        k = self._turned(self._heads(self.k(y), self.shared), angle)
        v = self._heads(self.v(y), self.shared)
        times = self.heads // self.shared
        k, v = (part.repeat_interleave(times, 1) for part in (k, v))
        scores = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        x = x + self.o((scores @ v).transpose(1, 2).reshape(x.shape))
        x = x + self.down(F.silu(self.gate(x)) * self.up(x))
        return x


def gated(width: int = 32, tokens: int = 6) -> Made:
    return settled(Gated(width, 4, 2)), torch.zeros(1, tokens, width)


class Cached(nn.Module):
    """A module that writes into a buffer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(1, 8, 16))
        self.layer = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        self.cache[:, 3:4] = x
        result: Tensor = self.layer(self.cache)
        return result


def cached() -> Made:
    return Cached(), torch.zeros(1, 1, 16)


class Operators(nn.Module):
    """One operator of every family that the models above leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, padding="same")
        self.norm = nn.GroupNorm(2, 6)
        self.prelu = nn.PReLU()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = self.norm(self.conv(x))
        one = self.conv(x[0])
        mask = torch.ones(8, 8, dtype=torch.bool).tril()
        z = torch.einsum("bij,bkj->bik", y, y)
        w = torch.baddbmm(z, y, y.transpose(1, 2))
        turned = y.masked_fill(mask[0], 0.0).std(-1)
        picked = y[:, torch.tensor([0, 2])]
        grown = F.interpolate(y.unsqueeze(0), scale_factor=2, mode="bilinear")
        soft = self.prelu(F.softplus(w).clamp(min=0.1)).to(torch.float16)
        halves = torch.stack(y.split(3, 1)).flip(0)
        return (
            one,
            turned,
            picked,
            grown,
            soft,
            halves,
            torch.sub(y, x[:, :1], alpha=2),
            y.argmax(-1),
        )


def operators() -> Made:
    return settled(Operators()), torch.zeros(2, 4, 8)


class Quantised(nn.Module):
    """A linear layer between quantisers, as PT2E's conversion leaves it."""

    def __init__(self, least: int) -> None:
        super().__init__()
        import torch.ao.quantization.fx._decomposed

        self.least = least
        self.register_buffer("weight", torch.ones(8, 16, dtype=torch.int8))
        self.register_buffer("scales", torch.ones(8))
        self.register_buffer("zeros", torch.zeros(8, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        ops = torch.ops.quantized_decomposed
        x = ops.quantize_per_tensor(x, 0.1, 0, -128, 127, torch.int8)
        x = ops.dequantize_per_tensor(x, 0.1, 0, -128, 127, torch.int8)
        most = -1 - self.least
        w = ops.dequantize_per_channel(
            self.weight, self.scales, self.zeros, 0, self.least, most, torch.int8
        )
        y = F.relu(F.linear(x, w))
        result: Tensor = ops.quantize_per_tensor(y, 0.2, 0, -128, 127, torch.int8)
        return result


def quantised(bits: int = 8) -> Made:
    return Quantised(-(1 << bits - 1)), torch.zeros(4, 16)


# ------------------------------------------------------------------------------------------ faulty


def needs(size: int) -> Made:
    return nn.Linear(size, 2), torch.zeros(1, size)


def fails() -> Made:
    raise ValueError("no such size\nand more")


def leaves() -> Made:
    raise SystemExit(3)


def number() -> int:
    return 3


def alone() -> nn.Module:
    return nn.Linear(2, 2)


def inputs_of_text() -> Any:
    return nn.Linear(2, 2), "x"


def open_shape() -> Any:
    size = torch.export.Dim("n", min=2, max=100)
    return torch.export.export(nn.Linear(4, 4), (torch.zeros(3, 4),), dynamic_shapes=({0: size},))


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def branching() -> Made:
    return Branching(), torch.zeros(3)


class Sorting(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x + 1).sort()[0]


def sorting() -> Made:
    return Sorting(), torch.zeros(3)

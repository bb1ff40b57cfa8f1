"""The network that the adapter is for: patches, then blocks that mix places and channels in turn.

Source: Trockman and Kolter 2022, arXiv:2201.09792, figure 3, much smaller.
"""

from torch import Tensor, nn


class MixerBlock(nn.Module):
    """One block: a depthwise convolution mixes places, a pointwise one mixes channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.places = nn.Conv2d(width, width, 5, padding="same", groups=width)
        self.places_norm = nn.BatchNorm2d(width)
        self.channels = nn.Conv2d(width, width, 1)
        self.channels_norm = nn.BatchNorm2d(width)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, width, h, w), as the input."""
        x = x + self.places_norm(self.act(self.places(x)))
        mixed: Tensor = self.channels_norm(self.act(self.channels(x)))
        return mixed


class ToyMixer(nn.Module):
    """Classifier of small images."""

    def __init__(
        self, *, width: int, depth: int, num_classes: int, in_channels: int, image_size: int
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.patches = nn.Conv2d(in_channels, width, kernel_size=4, stride=4)
        self.patches_norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(*(MixerBlock(width) for _ in range(depth)))
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (n, num_classes). images: (n, in_channels, height, width)."""
        x = self.blocks(self.patches_norm(self.patches(images)))
        logits: Tensor = self.classifier(x.mean(dim=(2, 3)))
        return logits

"""What is done to pictures."""
import torch


def normalize_images(x, at):
    mean, std = torch.tensor(at["mean"]).double(), torch.tensor(at["std"]).double()
    return ((x.double() / 255 - mean) / std).permute(0, 3, 1, 2)


def normalize_images_fast(x, at):
    scale = 1 / torch.tensor(at["std"])
    return torch.addcmul(-torch.tensor(at["mean"]) * scale, x, scale / 255).permute(0, 3, 1, 2)


OPS = {"normalize_images": normalize_images}
PEERS = {"normalize_images": normalize_images_fast}

"""What an experiment may say about a network."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CLASSIFIERS = (  # learners that say which class a picture shows, and do nothing else
    "classifier",
    "cosine_classifier",
    "proxy_classifier",
    "boosted_classifier",
    "expanding_classifier",
)
GROWING = CLASSIFIERS[1:]  # whose head grows with the classes, whatever is asked for


class UNetOptions(BaseModel):
    """The arguments of `diffusers.UNet2DModel` under diffusers' own names; picture size and channels come from the
    stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    block_out_channels: tuple[int, ...] = Field((32, 64), description="width of each resolution level")
    layers_per_block: int = Field(1, ge=1, description="residual blocks a level")
    down_block_types: tuple[str, ...] = Field(
        (), description="empty: DownBlock2D on every level, attention on the last"
    )
    up_block_types: tuple[str, ...] = Field((), description="empty: the mirror of the down blocks")
    norm_num_groups: int = Field(32, ge=1, description="groups of the group normalisation")
    attention_head_dim: int = Field(8, ge=1, description="channels of one attention head")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="dropout in the residual blocks")
    resnet_time_scale_shift: Literal["default", "scale_shift"] = Field(
        "default", description="how the noise level enters a block: added, or as scale and shift"
    )


class ClassifierOptions(BaseModel):
    """The network of a classifier; picture size, channels and classes come from the stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Literal["cnn", "resnet8", "resnet20", "resnet32", "resnet18"] = Field(
        "cnn",
        description="the network: cnn as in arXiv 2311.14028, residual networks for small pictures, resnet18 for large ones",
    )
    head: Literal["fixed", "growing"] = Field(
        "fixed", description="fixed: all classes are known from the start; growing: those that have arrived, as always for lucir, podnet, foster and der_expand"
    )
    dropout: float = Field(0.25, ge=0.0, lt=1.0, description="after each pooling of cnn")


class JointOptions(BaseModel):
    """The classifying part of a joint model, whose body is the denoiser's network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    body: Literal["shared", "cnn", "resnet18"] = Field(
        "shared",
        description="what classifies: a head over the denoiser's own way down, or, for comparison, a network apart",
    )
    head_width: int = Field(
        1024, ge=1, description="of the hidden layer (published: 1024 for CIFAR, 2048 for ImageNet-100)"
    )
    head_dropout: float = Field(0.1, ge=0.0, lt=1.0, description="before the last layer (published: 0.1)")
    class_weight: float = Field(
        0.001,
        gt=0,
        description="what the class matters beside the noise where a strategy for any learner trains a joint model, such as finetune; "
        "1 where a network apart classifies (jdcl has alpha)",
    )


class FeatureGANOptions(BaseModel):
    """The generator of a classifier's features, and its critic: two hidden layers each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    codes: int = Field(200, ge=1, description="numbers of a code (published: 200)")
    hidden: int = Field(512, ge=1, description="width of the hidden layers (published: 512)")
    penalty: float = Field(10.0, ge=0, description="what the critic's gradient penalty counts (published: 10)")

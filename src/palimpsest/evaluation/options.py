"""What an experiment may say about evaluation."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EvaluatorOptions(BaseModel):
    """The recipe of an evaluator. Together with the data it decides the weights, and the name of their cache entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["small_cnn"] = Field("small_cnn", description="the network")
    features: int = Field(32, ge=2, le=32, description="width of the features that FID is computed on")
    steps: int = Field(1500, ge=1, description="optimizer steps")
    batch: int = Field(128, ge=2, description="pictures per step")
    learning_rate: float = Field(2e-3, gt=0, description="Adam's highest learning rate; falls to 0 along a cosine")
    seed: int = Field(0, description="decides initial weights, batches and augmentation")


class EvaluationOptions(BaseModel):
    """What is sampled and measured after every task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(1000, ge=0, description="samples a measurement; 0 measures nothing and draws the sheet alone")
    sampler: str = Field("ddim", description="one of `palimpsest list samplers`")
    steps: int = Field(10, ge=1, description="sampling steps")
    batch: int = Field(250, ge=1, description="samples drawn at once")
    reference: Literal["test", "all"] = Field(
        "test", description="real pictures of the classes seen that samples are compared with: test pictures, or all"
    )
    sheet: int = Field(60, ge=1, description="samples on the sheet of each task")
    evaluator: EvaluatorOptions = Field(EvaluatorOptions(), description="the classifier whose features are compared")

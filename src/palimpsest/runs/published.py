"""A row of a published table, as an experiment's [[published]] holds it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Value = tuple[float, float] | tuple[float]


class PublishedRow(BaseModel):
    """What a paper prints for one method, each number as [mean, standard error] over its seeds, or as [number] without one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Field(
        description="the tables of the paper that print it, or what they show where their numbers are not known"
    )
    strategy: str = Field(description="one of `palimpsest list strategies`")
    options: dict[str, Any] = Field({}, description="of the strategy; the others are the experiment's")
    settings: dict[str, Any] = Field({}, description="other keys, dotted, in which it differs from the experiment")
    fid: Value | None = Field(None, description="Fréchet distance, lower is better")
    kld: Value | None = Field(None, description="of the class frequencies, in nats, lower is better")
    accuracy: Value | None = Field(None, description="of the continually trained classifier, 0 to 1")
    average_incremental_accuracy: Value | None = Field(
        None, description="mean over tasks of the accuracy after each, 0 to 1"
    )
    average_incremental_accuracy_nearest_mean: Value | None = Field(
        None, description="the same by the nearest mean of remembered pictures, whatever the strategy predicts by"
    )
    base_forgetting: Value | None = Field(
        None, description="fall of the first task's accuracy by the last task, 0 to 1, lower is better"
    )
    note: str = Field("", description="what has to be known to read it rightly")

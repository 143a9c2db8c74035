"""What a task leaves in a run directory: its models and its pictures."""

from collections.abc import Mapping

from PIL.Image import Image
from torch import nn

from palimpsest.core.files import write_folder
from palimpsest.evaluation.sheet import save_sheet
from palimpsest.measuring.measurer import offering
from palimpsest.runs.assembly import Assembly
from palimpsest.runs.folder import RunFolder
from palimpsest.runs.models import save_learners
from palimpsest.streams.stream import Task


def keep_task(
    folder: RunFolder,
    assembly: Assembly,
    task: Task,
    learners: Mapping[str, nn.Module],
    pictures: Mapping[str, Image],
) -> None:
    """Save the learners and the pictures (by the end of their name) of a task; an updated model is delivered, too."""
    stream, pipeline, generator = assembly.stream, assembly.pipeline, offering(learners, "noise")
    learnt = {number: stream.class_names[number] for number in sorted(stream.learnt(task.number))}
    write_folder(folder.model(task.number), lambda place: save_learners(learners, pipeline, learnt, place))
    if (deliver := assembly.experiment.deliver) and generator is not None:
        pipeline.deliver(generator, learnt, (folder.path / deliver).resolve())
    for ending, picture in pictures.items():
        save_sheet(picture, folder.picture(task.number, ending))

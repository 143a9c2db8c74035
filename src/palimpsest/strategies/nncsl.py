"""NNCSL: few labels, and a buffer of labelled pictures among which neighbours are looked for."""

from palimpsest.core.term import Phase, Term
from palimpsest.sources import Supported
from palimpsest.strategies import strategy
from palimpsest.targets import Neighbours, OnParts, TaughtNeighbours, label


@strategy(keeps={"memory", "teacher"}, learners=("classifier",))
def nncsl(
    now,
    past,
    *,
    memory_size: int = 500,
    selection: str = "random",
    temperature: float = 0.1,
    sharpening: float = 0.25,
    smoothing: float = 0.1,
    me_max: float = 1.0,
    distillation: float = 0.2,
    labels: float = 0.005,
):
    """Soft nearest neighbours among labelled pictures, and what they were before (Kang et al. 2023, NNCSL).

    L_k = E_all [ ½ H(sharp p₂, p₁) + ½ H(sharp p₁, p₂) ] − m H(E sharp p)   with p = softmax(cos(F_θ(x), F_θ(S)) / τ) Y
          + d E_all H(p_teacher, p_θ) among the buffer  +  c [ 1/k · E_labelled CE(y, f_θ) + (1 − 1/k) · E_buffer CE(y, f_θ) ]

    x are all pictures of the task, in two views; S are the task's labelled ones, and for the teacher those of the buffer. It needs
    few labels (stream.labels); where all pictures have one, all of them are S. What it says in the end is said by its linear layer.
    Published with ResNet-18 and LARS, two large and two small crops, and S with as many of each class; here the experiment's
    classifier, two views, and S drawn in shuffled epochs; CE is over all of the stream's classes.

    memory_size: labelled pictures in the buffer (published: 500 or 5120)
    selection: how they are chosen: random, of each class; herding of each class; by_task, of each past task; reservoir of all
    temperature: τ of neighbours
    sharpening: T, which sharpens what one view is to learn from the other
    smoothing: share of a support's label that goes to all of its task's classes
    me_max: m, how much all classes' being as frequent matters
    distillation: d, how much the previous model's neighbours matter
    labels: c, how much the linear layer matters
    """
    everything, classes = now.without_labels, tuple(dict.fromkeys(past.classes))
    near = Neighbours(now.classes, temperature, sharpening, me_max, smoothing)
    as_before = TaughtNeighbours(past.classifier.learner, classes, temperature, smoothing)
    pictures = Supported(everything, (now.data, past.memory))
    return Phase(
        "classifier",
        [
            Term(pictures, OnParts(near, (everything, now.data))),
            Term(pictures, OnParts(as_before, (everything, past.memory)), distillation),
            Term(pictures, OnParts(label, (now.data,)), labels * now.new),
            Term(pictures, OnParts(label, (past.memory,)), labels * now.old),
        ],
    )

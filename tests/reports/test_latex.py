"""The LaTeX table, against one written by hand."""

from palimpsest.reports.comparison import compare
from palimpsest.reports.latex import escaped, to_latex
from tests.reports.test_comparison import a_run

EXPECTED = r"""% needs \usepackage{booktabs}
% mean ± standard error over seeds (ddof 1)
% unfinished runs stand alone, with the measures after their last finished task: never averaged
\begin{tabular}{lrrrr}
\toprule
method & fid $\downarrow$ & accuracy $\uparrow$ & fid (long) $\downarrow$ & other\_measure \\
\midrule
joint & $11.00 \pm 0.58$ & $\mathbf{0.9000 \pm 0}$ & -- & $1.000 \pm 0$ \\
generative\_replay, teacher\_steps=2 & $\mathbf{10.00 \pm 0.58}$ & $0.5000 \pm 0$ & $4.00 \pm 0.58$ & -- \\
lwf (task 2 of 5) & $1.000$ & -- & -- & -- \\
\bottomrule
\end{tabular}
"""


def test_a_table_is_as_written_by_hand():
    runs = []
    for seed, shift in enumerate((-1.0, 0.0, 1.0)):
        runs.append(a_run("joint", seed, final={"fid": 11 + shift, "accuracy": 0.9, "other_measure": 1.0}))
        final = {"fid": 10 + shift, "accuracy": 0.5, "fid_long": 4 + shift}
        runs.append(a_run("generative_replay", seed, options={"teacher_steps": 2}, final=final))
    unfinished = a_run("lwf", finished=False, final={"fid": 1.0}, task_count=5)
    assert to_latex(compare([*runs, unfinished])) == EXPECTED


def test_what_latex_would_take_for_a_command_is_escaped():
    assert escaped(r"a_b & 5% of {#1} ~ $x^2 \y") == (
        r"a\_b \& 5\% of \{\#1\} \textasciitilde{} \$x\textasciicircum{}2 \textbackslash{}y"
    )


def test_all_that_are_equally_good_are_bold_and_what_cannot_be_ranked_is_not():
    text = to_latex(compare([a_run(name, final={"fid": 2.0, "other": 1.0}) for name in ("joint", "lwf")]))
    assert text.count(r"\mathbf{2.000}") == 2 and r"\mathbf{1.000}" not in text

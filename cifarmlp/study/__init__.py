"""Studies: published numbers and conclusions, trained again and judged.

    study.yaml -> LoadedStudy -> StudyPlan -> run_study -> StudyFolder -> Judgement, a Verdict each

Begin with `schema` (what a study may say), then `run`. `load` reads the file, `plan` finds what is left to
do, `reuse` what can be copied from earlier runs, `ownership` what in the folder is another's or damaged,
`folder` is study.json and what stands beside it; `rules` are the rules of the verdicts, and `judge` applies
them. May import runs, search, training and all below them; only report, api and cli import it.
"""

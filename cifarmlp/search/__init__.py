"""Search for good values of a config's fields: a wide coarse stage, then a fine one around its best.

    config  ->  trials  ->  populations  ->  results  ->  best trials
         sampling     populations       run         ranking, summary

Trial i's values depend on the config and on i alone (`sampling`); few values are dealt out (`dealing`).
Trials that may train in lockstep are grouped into populations (`populations`), which `run` gives to processes
or a cluster (`worker`). Each result is kept at once in the search's folder (`folder`), so that a search
that was cut short goes on where it was (`plan`).

Begin with `plan.prepare_search` and `run.run_search`. Rank: above training, which it drives; below runs,
study, report and cli, which read or start searches.
"""

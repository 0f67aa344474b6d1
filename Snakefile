# The front door of the pipeline: what a run is made of, in the order the data flow.
#   snakemake --cores all                                        the embedded default, config.yaml
#   snakemake --cores all --configfile config/smoke.yaml         a setting laid over it
#   snakemake --cores all --use-conda                            every job in the environment of envs/
from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


include: "workflow/rules/call.smk"
include: "workflow/rules/paths.smk"
include: "workflow/rules/ask.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/synthesize.smk"
include: "workflow/rules/render.smk"
include: "workflow/rules/crop.smk"
include: "workflow/rules/crop_localized.smk"
include: "workflow/rules/show.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


localrules:
    all,
    raw,
    crops,
    sheets,
    evaluations,
    claims_handobject,


rule all:
    default_target: True
    input:
        all_crops(),
        all_sheets(),
        all_evaluations(),
        all_probes(),
        published_fits(),
        rules.report.output,


rule raw:
    input:
        [raw_data(dataset) for dataset in made()],


rule crops:
    input:
        all_crops(),


rule sheets:
    input:
        all_sheets(),


rule evaluations:
    input:
        all_evaluations(),


# What one paper's claims are decided from: with config/claims.yaml some hours on two cores, whatever the others take.
for paper in PAPERS:

    rule:
        name:
            f"claims_{paper}"
        input:
            all_evaluations([paper]),
            baseline_evaluations(paper),
            all_probes([paper]),
            published_fits([paper]),
        localrule: True


# The half of feedback19 that is about hand and object together, without the one about hands alone.
rule claims_handobject:
    input:
        all_evaluations(["feedback19"], part="handobject"),
        all_probes(["feedback19"], part="handobject"),


onstart:
    begin_call()


onsuccess:
    tell_what_trainings_remarked()
    end_call("FINISHED")


onerror:
    end_call("FAILED")

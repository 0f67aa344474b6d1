# A hand and its pose in every frame, fitted to the labels of a split.
rule fit:
    input:
        store=lambda wildcards: labels_of(wildcards.dataset, wildcards.split),
        hand=hand_of,
    output:
        card=f"{RUN}/fit/{{dataset}}/{{split}}/fit.json",
    log:
        f"{LOGS}/fit/{{dataset}}/{{split}}.log",
    benchmark:
        f"{TIMES}/fit/{{dataset}}/{{split}}.tsv"
    wildcard_constraints:
        dataset="nyu|icvl",
        split="train|test",
    conda:
        "../../envs/handbench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        store=subpath(input.store, parent=True),
        hand=lambda wildcards, input: hand_option(input.hand),
        truth=lambda wildcards: truth_option(wildcards.dataset),
        out=subpath(output.card, parent=True),
        sources=stage_digest("fit"),
    shell:
        "python -m handbench fit {wildcards.dataset} --store {params.store:q} {params.hand} {params.truth}"
        " --out {params.out:q} > {log} 2>&1"


# The same of the real labels of NYU's test set, which are published: they need no images and no training.
rule fit_published:
    input:
        published=published_manifest() or [f"{RUN}/download/published/manifest.json"],
    output:
        card=f"{RUN}/fit/nyu/published/fit.json",
    log:
        f"{LOGS}/fit/nyu/published.log",
    benchmark:
        f"{TIMES}/fit/nyu/published.tsv"
    conda:
        "../../envs/handbench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        record=lambda wildcards, input: record_option(input.published),
        out=subpath(output.card, parent=True),
        sources=stage_digest("fit"),
    shell:
        "python -m handbench fit nyu {params.record} --out {params.out:q} > {log} 2>&1"

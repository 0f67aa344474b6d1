# The hand cut out of every frame of a split, into a memory-mapped store.
rule crop:
    input:
        raw=lambda wildcards: raw_data(wildcards.dataset, wildcards.split),
    output:
        store=f"{RUN}/crop/{{dataset}}/{{centre}}{{larger}}/{{split}}/store.json",
    log:
        f"{LOGS}/crop/{{dataset}}/{{centre}}{{larger}}/{{split}}.log",
    benchmark:
        f"{TIMES}/crop/{{dataset}}/{{centre}}{{larger}}/{{split}}.tsv"
    priority: BEFORE_TRAININGS
    conda:
        "../../envs/handbench.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        root=lambda wildcards: raw_root(wildcards.dataset, wildcards.split),
        out=subpath(output.store, parent=True),
        size=lambda wildcards: crop_size(wildcards.larger),
        skips=lambda wildcards: allowed_skips(wildcards.dataset),
        revised=lambda wildcards: revised_option(wildcards.dataset),
        sources=stage_digest("crop"),
    shell:
        "python -m handbench crop {wildcards.dataset} --root {params.root:q} --split {wildcards.split}"
        " --centre {wildcards.centre} --size {params.size} --allow-skips {params.skips} {params.revised}"
        " --out {params.out:q}"
        " --jobs {threads} > {log} 2>&1"

# The same around where a localizer finds the hand. A rule of its own: no other crop depends on networks or waits for one.
rule crop_localized:
    input:
        raw=lambda wildcards: raw_data(wildcards.dataset, wildcards.split),
        localizer=lambda wildcards: localizer_of(wildcards.dataset),
        store=lambda wildcards: store_of(wildcards.dataset, localizer_module(wildcards.dataset), wildcards.split),
    output:
        card=f"{RUN}/crop/{{dataset}}/localized/{{split}}/store.json",
    log:
        f"{LOGS}/crop/{{dataset}}/localized/{{split}}.log",
    benchmark:
        f"{TIMES}/crop/{{dataset}}/localized/{{split}}.tsv"
    priority: BEFORE_TRAININGS
    conda:
        "../../envs/handbench.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        root=lambda wildcards: raw_root(wildcards.dataset, wildcards.split),
        localizer=subpath(input.localizer, parent=True),
        store=subpath(input.store, parent=True),
        out=subpath(output.card, parent=True),
        size=settings.crop.size_px,
        skips=lambda wildcards: allowed_skips(wildcards.dataset),
        sources=stage_digest("crop_localized", method_file("feedback19.localizer")),
    shell:
        "python -m handbench crop {wildcards.dataset} --root {params.root:q} --split {wildcards.split} --centre localized"
        " --localizer {params.localizer:q} --store {params.store:q} --size {params.size} --allow-skips {params.skips}"
        " --out {params.out:q} --jobs {threads} > {log} 2>&1"

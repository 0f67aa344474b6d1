# What a network does beside its joints: the images it draws, its updates around the truth, its time; with pictures.
rule probe:
    input:
        checkpoint=lambda wildcards: trained(
            wildcards.dataset, wildcards.module, wildcards.seed, fold_probed(wildcards)
        ),
        store=lambda wildcards: store_of(wildcards.dataset, wildcards.module, "test"),
        learned=lambda wildcards: store_of(wildcards.dataset, wildcards.module, "train"),
    output:
        card=f"{RUN}/probe/{{dataset}}/{{module}}/seed{{seed}}/probe.json",
        pictures=f"{RUN}/probe/{{dataset}}/{{module}}/seed{{seed}}/pictures.npz",
    log:
        f"{LOGS}/probe/{{dataset}}/{{module}}/seed{{seed}}.log",
    benchmark:
        f"{TIMES}/probe/{{dataset}}/{{module}}/seed{{seed}}.tsv"
    conda:
        "../../envs/handbench.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
        store=subpath(input.store, parent=True),
        learned=subpath(input.learned, parent=True),
        truth=lambda wildcards: probe_truth_option(wildcards.module, wildcards.dataset),
        out=subpath(output.card, parent=True),
        sources=lambda wildcards: stage_digest("probe", method_file(settings.modules[wildcards.module].kind)),
    shell:
        "python -m handbench probe {params.checkpoint:q} --store {params.store:q} --learned {params.learned:q}"
        " {params.truth} --threads {threads} --out {params.out:q} > {log} 2>&1"

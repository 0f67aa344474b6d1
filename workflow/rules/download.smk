# The real dataset, fetched whole, or the published predictions. No digest of sources here: a better downloader is no reason to fetch 92 GB again.
rule download:
    output:
        # Not deleted before a job that a kill made necessary: the command itself tells whole from half.
        manifest=update(f"{RUN}/download/{{dataset}}/manifest.json"),
    log:
        f"{LOGS}/download/{{dataset}}.log",
    benchmark:
        f"{TIMES}/download/{{dataset}}.tsv"
    wildcard_constraints:
        dataset="|".join([*RECORDED, "published"]),
    conda:
        "../../envs/handbench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        to=subpath(output.manifest, parent=True),
        # Snakemake does not track a value that depends on the output: another mirror is no reason either.
        mirrors=lambda wildcards, output: mirrors_of(wildcards.dataset),
    shell:
        "python -m handbench download {wildcards.dataset} --to {params.to:q} --mirror {params.mirrors:q} > {log} 2>&1"

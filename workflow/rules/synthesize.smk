# An embedded dataset in the real one's own files.
rule synthesize:
    output:
        manifest=f"{RUN}/synthesize/{{dataset}}/manifest.json",
    log:
        f"{LOGS}/synthesize/{{dataset}}.log",
    benchmark:
        f"{TIMES}/synthesize/{{dataset}}.tsv"
    wildcard_constraints:
        dataset="|".join(SYNTHESIZED),
    priority: BEFORE_TRAININGS
    conda:
        "../../envs/handbench.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ask_for_drawing(settings, wildcards.dataset),
        runtime=240,
    params:
        out=subpath(output.manifest, parent=True),
        frames=lambda wildcards: [f"{k}={n}" for k, n in settings.datasets[wildcards.dataset].frames.items()],
        stride=lambda wildcards: stride_option(wildcards.dataset),
        seed=lambda wildcards: settings.datasets[wildcards.dataset].seed,
        renderer=settings.renderer,
        sources=stage_digest("synthesize"),
    shell:
        "python -m handbench synthesize {wildcards.dataset} --out {params.out:q} --frames {params.frames} {params.stride}"
        " --seed {params.seed} --renderer {params.renderer} --jobs {threads} > {log} 2>&1"

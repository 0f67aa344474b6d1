# Hands with objects to learn from: no default target, made where something asks for one of its sets.
rule render:
    input:
        hands=[raw_data(dataset) for dataset in settings.render.hands],
    output:
        manifest=f"{RUN}/render/{{split}}/manifest.json",
    log:
        f"{LOGS}/render/{{split}}.log",
    benchmark:
        f"{TIMES}/render/{{split}}.tsv"
    wildcard_constraints:
        split="|".join(HANDOBJECT.splits),
    conda:
        "../../envs/handbench.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        out=subpath(output.manifest, parent=True),
        hands=[f"{dataset}={raw_root(dataset)}" for dataset in settings.render.hands],
        frames=lambda wildcards: rendered_frames(wildcards.split),
        seed=settings.render.seed,
        renderer=settings.renderer,
        sources=stage_digest("render"),
    shell:
        "python -m handbench render {wildcards.split} --hands {params.hands:q} --frames {params.frames}"
        " --seed {params.seed} --renderer {params.renderer} --jobs {threads} --out {params.out:q} > {log} 2>&1"

# Hands to learn from, with objects or alone: no default target, made where something asks for one of its sets.
rule render:
    input:
        hands=lambda wildcards: [raw_data(dataset) for dataset in hands_before_objects(wildcards.set)],
    output:
        manifest=f"{RUN}/render/{{set}}/manifest.json",
    log:
        f"{LOGS}/render/{{set}}.log",
    benchmark:
        f"{TIMES}/render/{{set}}.tsv"
    wildcard_constraints:
        set="|".join([*HANDOBJECT.splits, HANDS.name]),
    priority: BEFORE_TRAININGS
    conda:
        "../../envs/handbench.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ask_for_drawing(settings, wildcards.set),
        runtime=240,
    params:
        out=subpath(output.manifest, parent=True),
        hands=lambda wildcards: hands_option(wildcards.set),
        frames=lambda wildcards: rendered_frames(wildcards.set),
        seed=settings.render.seed,
        renderer=settings.renderer,
        sources=stage_digest("render"),
    shell:
        "python -m handbench render {wildcards.set} {params.hands} --frames {params.frames}"
        " --seed {params.seed} --renderer {params.renderer} --jobs {threads} --out {params.out:q} > {log} 2>&1"

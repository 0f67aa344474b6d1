# Joints in camera millimetres of every test frame, in list order.
rule predict:
    input:
        checkpoints=checkpoints_of_folds,
        store=lambda wildcards: store_of(wildcards.dataset, wildcards.module, "test"),
    output:
        card=f"{RUN}/predict/{{dataset}}/{{module}}/seed{{seed}}/predictions.json",
    log:
        f"{LOGS}/predict/{{dataset}}/{{module}}/seed{{seed}}.log",
    benchmark:
        f"{TIMES}/predict/{{dataset}}/{{module}}/seed{{seed}}.tsv"
    conda:
        "../../envs/handbench.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * ask_for_trained(settings, wildcards.module, wildcards.dataset, learned=False),
        runtime=60,
    params:
        checkpoints=lambda wildcards, input: [os.path.dirname(card) for card in input.checkpoints],
        store=lambda wildcards, input: os.path.dirname(input.store),
        truth=lambda wildcards: held_truth_option(wildcards.module, wildcards.dataset),
        out=subpath(output.card, parent=True),
        sources=lambda wildcards: stage_digest("predict", method_file(settings.modules[wildcards.module].kind)),
    shell:
        "python -m handbench predict {params.checkpoints:q} --store {params.store:q} {params.truth}"
        " --out {params.out:q} > {log} 2>&1"

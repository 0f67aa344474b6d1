# One module on one dataset with one seed; the checkpoints it needs are made first.
rule train:
    input:
        store=lambda wildcards: store_of(wildcards.dataset, wildcards.module, "train"),
        needs=checkpoints_needed,
        poses=poses_needed,
        turns=turns_needed,
    output:
        card=f"{RUN}/train/{{dataset}}/{{module}}/seed{{seed}}{{fold}}/checkpoint.json",
    log:
        f"{LOGS}/train/{{dataset}}/{{module}}/seed{{seed}}{{fold}}.log",
    benchmark:
        f"{TIMES}/train/{{dataset}}/{{module}}/seed{{seed}}{{fold}}.tsv"
    conda:
        "../../envs/handbench.yaml"
    # Fixed in the config, not taken from --cores: the number changes the last digits of what is trained.
    # Of a machine: each device has a process.
    threads: lambda wildcards: settings.modules[wildcards.module].threads * settings.modules[wildcards.module].devices
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ask_for_training(settings, wildcards.module, wildcards.dataset),
        gpu=lambda wildcards: cards_of(wildcards.module),
        nodes=lambda wildcards: machines_of(wildcards.module),
        runtime=240,
    params:
        kind=lambda wildcards: settings.modules[wildcards.module].kind,
        paper=lambda wildcards: settings.modules[wildcards.module].paper,
        store=lambda wildcards, input: os.path.dirname(input.store),
        needs=lambda wildcards, input: needs_option(input.needs),
        poses=lambda wildcards, input: poses_option(input.poses),
        turns=lambda wildcards, input: turns_option(input.turns),
        fold=lambda wildcards: fold_option(wildcards.fold),
        settings=lambda wildcards: settings_of(wildcards.module),
        out=subpath(output.card, parent=True),
        threads=lambda wildcards: settings.modules[wildcards.module].threads,
        devices=lambda wildcards: devices_option(wildcards.module),
        launch=lambda wildcards: launch_words(wildcards.module),
        call=CALL_FILE,
        sources=lambda wildcards: stage_digest("train", method_file(settings.modules[wildcards.module].kind)),
    shell:
        "{params.launch}python -m handbench train {params.kind} --module {wildcards.module} --paper {params.paper} --store {params.store:q}"
        " {params.needs} {params.poses} {params.turns} {params.fold} --seed {wildcards.seed} --threads {params.threads} {params.devices} --set {params.settings:q} --out {params.out:q} --call {params.call:q} > {log} 2>&1"

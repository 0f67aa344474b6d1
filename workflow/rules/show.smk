# A contact sheet of every split, to look at before anything is trained on it.
rule show:
    input:
        raw=lambda wildcards: raw_data(wildcards.dataset, wildcards.split),
    output:
        sheet=report(
            f"{RUN}/show/{{dataset}}/{{split}}.png",
            caption="../report/contact_sheet.rst",
            category="Data",
            labels={"dataset": "{dataset}", "split": "{split}"},
        ),
    log:
        f"{LOGS}/show/{{dataset}}/{{split}}.log",
    benchmark:
        f"{TIMES}/show/{{dataset}}/{{split}}.tsv"
    conda:
        "../../envs/handbench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        root=lambda wildcards: raw_root(wildcards.dataset, wildcards.split),
        sources=stage_digest("show"),
    shell:
        "python -m handbench show {wildcards.dataset} --root {params.root:q} --split {wildcards.split}"
        " --frames 16 --out {output.sheet:q} > {log} 2>&1"

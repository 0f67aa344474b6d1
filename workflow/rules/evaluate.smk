# Every error of saved predictions, and what tables and curves take of them.
rule evaluate:
    input:
        predictions=f"{RUN}/predict/{{dataset}}/{{module}}/seed{{seed}}/predictions.json",
        published=published_manifest(),
        poses=poses_fitted_to_test,
        bias=bias_found,
    output:
        evaluation=f"{RUN}/evaluate/{{dataset}}/{{module}}/seed{{seed}}/evaluation.json",
    log:
        f"{LOGS}/evaluate/{{dataset}}/{{module}}/seed{{seed}}.log",
    benchmark:
        f"{TIMES}/evaluate/{{dataset}}/{{module}}/seed{{seed}}.tsv"
    conda:
        "../../envs/handbench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        predictions=lambda wildcards, input: os.path.join(os.path.dirname(input.predictions), "predictions.npz"),
        title=lambda wildcards: settings.modules[wildcards.module].title,
        record=lambda wildcards, input: record_option(input.published),
        poses=lambda wildcards, input: poses_option(input.poses),
        truth=lambda wildcards: evaluated_truth_option(wildcards.module, wildcards.dataset),
        bias=lambda wildcards, input: bias_option(input.bias),
        out=subpath(output.evaluation, parent=True),
        call=CALL_FILE,
        sources=stage_digest("evaluate"),
    shell:
        "python -m handbench evaluate {params.predictions:q} {wildcards.dataset} {params.title:q} {params.record}"
        " {params.poses} {params.truth} {params.bias} --out {params.out:q} --call {params.call:q} > {log} 2>&1"

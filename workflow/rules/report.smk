# What people read: the papers' tables and curves, this run beside print, the claims, the frames.
rule report:
    input:
        evaluations=all_evaluations(),
        probes=all_probes(),
        fits=published_fits(),
        sheets=all_sheets(),
        published=published_manifest(),
    output:
        page=f"{RESULTS}/report/index.html",
        figures=report(
            directory(f"{RESULTS}/report/figures"),
            patterns=["{name}.png"],
            caption="../report/report_figure.rst",
            category="Figures",
            labels={"figure": "{name}"},
        ),
        tables=report(
            directory(f"{RESULTS}/report/tables"),
            patterns=["{name}.html"],
            caption="../report/report_table.rst",
            category="Tables",
            labels={"table": "{name}"},
        ),
        frames=report(
            directory(f"{RESULTS}/report/frames"),
            patterns=["{name}.png"],
            caption="../report/report_frames.rst",
            category="Frames",
            labels={"frames": "{name}"},
        ),
        claims=report(
            f"{RESULTS}/report/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
        ),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{TIMES}/report.tsv"
    conda:
        "../../envs/handbench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        run=lambda wildcards: RUN,
        record=lambda wildcards, input: record_option(input.published),
        out=subpath(output.page, parent=True),
        config=digest_settings(settings.model_dump()),
        sources=stage_digest("report"),
    shell:
        "python -m handbench report {params.run:q} --out {params.out:q} {params.record} > {log} 2>&1"

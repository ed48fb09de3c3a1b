"""What the pages of docs/ say in words of the numbers that they print."""

BOTH = ["loc", "scale"]


def reading(table, study, failed, gain, frame):
    """Judge the words of docs/reading.md by its performance table, failures, gain of median over GAN, and estimates."""
    rows = table.set_index(["measure", "contamination", "method", "parameter"]).sort_index()
    value, mcse = rows["value"], rows["mcse"]
    bias_in_se = (value["bias"] / value["empirical_se"]).abs()

    def errors_from(target, *at):
        return abs(value[at] - target) / mcse[at]

    # Failures: 13, all the GAN's.
    assert set(failed["method"]) == {"root"}
    assert failed["contamination"].astype(str).value_counts().to_dict() == {"near 10 %": 12, "none": 1}

    # None.
    for method in study.methods:
        for parameter in BOTH:
            is_biased = (method, parameter) == ("root", "scale")
            assert (errors_from(0, "bias", "none", method, parameter) > 1.96) == is_biased
            assert errors_from(0.95, "coverage", "none", method, parameter) < 1.96
    assert 1 / 7 < bias_in_se["none", "root", "scale"] < 1 / 5
    more = 1 / value["relative_efficiency"]["none"] - 1
    assert more["root"][BOTH].mul(100).round().tolist() == [4, 7]
    assert more["median_mad"][BOTH].round(1).tolist() == [0.7, 1.5]
    for parameter, theory in zip(BOTH, (0.637, 0.368), strict=True):
        assert errors_from(theory, "relative_efficiency", "none", "median_mad", parameter) < 1.96

    # Far.
    for cell, low, high in (("far 10 %", 0.9, 1.1), ("far 20 %", 2.0, 2.6)):
        for parameter in BOTH:
            assert bias_in_se[cell, "ml", parameter] > 7
            assert value["coverage", cell, "ml", parameter] <= 0.01
            assert low < bias_in_se[cell, "median_mad", parameter] < high
            assert bias_in_se[cell, "root", parameter] < 0.2
            assert 0.905 < value["coverage", cell, "root", parameter] < 0.95
    fallen = [value["coverage", cell, "median_mad", p] for cell in ("far 10 %", "far 20 %") for p in BOTH]
    assert [round(100 * share) for share in fallen] == [85, 82, 53, 25]
    assert 2.6 < errors_from(0.95, "coverage", "far 10 %", "root", "scale") < 2.75

    # Near.
    near = {measure: value[measure]["near 10 %"] for measure in ("bias", "rmse", "se_ratio", "coverage")}
    for parameter in BOTH:
        assert bias_in_se["near 10 %", "root", parameter] > 1
        assert all(near[m]["median_mad", parameter] < near[m]["root", parameter] for m in ("bias", "rmse"))
        assert near["coverage"]["root", parameter] < near["coverage"]["median_mad", parameter] < 0.9
    assert near["coverage"]["root"].mul(100).round().tolist() == [77, 60]
    assert rows["with_failures"]["coverage", "near 10 %", "root"].tolist() == [0.745, 0.58]
    assert round(100 * value["bias_eliminated_coverage", "near 10 %", "median_mad", "scale"]) == 94
    assert round(100 * value["bias_eliminated_coverage", "near 10 %", "root", "scale"]) == 87
    ratios = value["se_ratio"].xs("ml", level="method").drop("none", level="contamination")
    assert 1.35 < ratios.min() < ratios.max() < 3.2

    # The order in the lollipop plot, and what overlaps there.
    order = ["median_mad", "root", "ml"]
    for measure, target in (("bias", 0), ("rmse", 0), ("se_ratio", 1), ("coverage", 0.95)):
        distance = (near[measure].xs("loc", level="parameter") - target).abs()[order].tolist()
        whisker = [1.96 * mcse[measure, "near 10 %", method, "loc"] for method in order]
        assert distance == sorted(distance)
        if measure != "se_ratio":
            assert all(distance[k] + whisker[k] < distance[k + 1] - whisker[k + 1] for k in (0, 1))

    # The Q-Q plot: misses from below and from above, of symmetric intervals and of those on the logarithm.
    for method in study.methods:
        at = frame["converged"] & (frame["contamination"] == "none") & (frame["parameter"] == "scale")
        rows = frame[at & (frame["method"] == method)]
        z = (rows["estimate"] - rows["truth"]) / rows["std_error"]
        symmetric = (z < -1.96).sum(), (z > 1.96).sum()
        logarithmic = (rows["upper"] < rows["truth"]).sum(), (rows["lower"] > rows["truth"]).sum()
        assert symmetric[0] > 3 * symmetric[1]
        assert logarithmic[0] - logarithmic[1] < symmetric[0] - symmetric[1]

    # The ratio of standard errors that studies.md speaks of.
    for cell in ("far 10 %", "far 20 %"):
        for parameter in BOTH:
            assert errors_from(1, "se_ratio", cell, "root", parameter) < 1.96
    assert [round(near["se_ratio"]["root", parameter], 1) for parameter in BOTH] == [1.2, 1.2]

    # Pairs of squared errors.
    assert round(gain.mean(), 3) == 0.015
    assert gain.mean() > 7 * gain.std() / len(gain) ** 0.5

//! The universal scalability law: how throughput grows with load or with processes, and where it ends.
//!
//! X(N) = λN / (1 + σ(N−1) + κN(N−1)). λ is the rate of one, σ the share of work that only one can do at
//! a time (contention), κ what each pair costs to agree (coherency); with κ > 0 there is an N beyond
//! which more gets less. (N. J. Gunther, *Guerrilla Capacity Planning*, 2007, chapters 4 to 6.)

use serde::{Deserialize, Serialize};

/// More than any fit to a plausible curve takes.
const STEPS_MAX: usize = 200;
/// Relative improvement of the squares below which a fit is finished.
const TOLERANCE: f64 = 1e-14;

/// What was measured at one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// Connections, processes or whatever was varied; 1 or more.
    pub n: f64,
    /// Throughput per second.
    pub per_s: f64,
}

/// The law that fits best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fit {
    /// λ: throughput per second at N = 1.
    pub lambda: f64,
    /// σ: contention. Below 0 where throughput first grows faster than N.
    pub sigma: f64,
    /// κ: coherency. Below 0 only by noise, where there is none.
    pub kappa: f64,
    /// How much of the variance it explains; 1 is all.
    pub r_squared: f64,
    /// The N of most throughput; none where more N is never less throughput, or always.
    pub peak: Option<f64>,
}

/// No law can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UslError {
    /// Three unknowns take three equations.
    #[error("at least three different N are needed")]
    TooFew,
    /// A point that cannot have been measured.
    #[error("every N must be at least 1, and every throughput above 0")]
    Point,
    /// The points follow no such law at all.
    #[error("the points follow no scalability law")]
    NoFit,
}

impl Fit {
    /// The throughput that the law expects at `n`.
    pub fn at(&self, n: f64) -> f64 {
        model([self.lambda, self.sigma, self.kappa], n).0
    }
}

/// Fits the law to `points` by least squares of the throughput.
pub fn fit(points: &[Point]) -> Result<Fit, UslError> {
    if !points.iter().all(|p| p.n >= 1.0 && p.n.is_finite() && p.per_s > 0.0 && p.per_s.is_finite())
    {
        return Err(UslError::Point);
    }
    let mut sizes: Vec<f64> = points.iter().map(|point| point.n).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    if sizes.len() < 3 {
        return Err(UslError::TooFew);
    }
    let [lambda, sigma, kappa] = descend(points, linear(points).ok_or(UslError::NoFit)?);
    let lawful = points.iter().all(|p| model([lambda, sigma, kappa], p.n).1 > 0.0);
    if !(lawful && lambda > 0.0 && lambda.is_finite()) {
        return Err(UslError::NoFit);
    }
    let mean = points.iter().map(|point| point.per_s).sum::<f64>() / points.len() as f64;
    let variance: f64 = points.iter().map(|point| (point.per_s - mean).powi(2)).sum();
    let left = squares(points, [lambda, sigma, kappa]);
    // Points without variance have nothing to explain.
    let r_squared = if variance > 0.0 { 1.0 - left / variance } else { 1.0 };
    let peak = (kappa > 0.0 && sigma < 1.0).then(|| ((1.0 - sigma) / kappa).sqrt());
    Ok(Fit { lambda, sigma, kappa, r_squared, peak })
}

/// The throughput, and the denominator of the law.
fn model([lambda, sigma, kappa]: [f64; 3], n: f64) -> (f64, f64) {
    let denominator = 1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0);
    (lambda * n / denominator, denominator)
}

fn squares(points: &[Point], law: [f64; 3]) -> f64 {
    points.iter().map(|point| (point.per_s - model(law, point.n).0).powi(2)).sum()
}

/// N/X is linear in 1/λ, σ/λ and κ/λ. Weighted so that errors count about as they do in X: near
/// enough to begin with.
fn linear(points: &[Point]) -> Option<[f64; 3]> {
    let rows = points.iter().map(|&Point { n, per_s }| {
        let weight = per_s * per_s / n;
        ([weight, weight * (n - 1.0), weight * n * (n - 1.0)], weight * n / per_s)
    });
    let [inverse, sigma, kappa] = normal(rows, 0.0)?;
    Some([1.0 / inverse, sigma / inverse, kappa / inverse])
}

/// Levenberg and Marquardt: towards Gauss-Newton's step after every success, and more carefully after
/// every failure.
fn descend(points: &[Point], mut law: [f64; 3]) -> [f64; 3] {
    let (mut best, mut damping) = (squares(points, law), 1e-3);
    for _ in 0..STEPS_MAX {
        let rows = points.iter().map(|&Point { n, per_s }| {
            let (expected, denominator) = model(law, n);
            let by_sigma = -expected * (n - 1.0) / denominator;
            ([n / denominator, by_sigma, by_sigma * n], per_s - expected)
        });
        let Some(step) = normal(rows, damping) else { break };
        let next = [law[0] + step[0], law[1] + step[1], law[2] + step[2]];
        let left = squares(points, next);
        if left < best {
            let gain = best - left;
            (law, best, damping) = (next, left, damping / 10.0);
            if gain <= TOLERANCE * best {
                break;
            }
        } else if damping < 1e12 {
            damping *= 10.0;
        } else {
            break;
        }
    }
    law
}

/// Solves the normal equations of `rows` (coefficients, value), with a `damping` of their diagonal.
fn normal(rows: impl Iterator<Item = ([f64; 3], f64)>, damping: f64) -> Option<[f64; 3]> {
    let mut system = [[0.0; 4]; 3];
    for (coefficients, value) in rows {
        for (line, at) in system.iter_mut().zip(coefficients) {
            for (cell, other) in line.iter_mut().zip(coefficients.into_iter().chain([value])) {
                *cell += at * other;
            }
        }
    }
    // Columns differ by powers of N: bring them to one size, or the solution drowns in rounding.
    let scale = [0, 1, 2].map(|i| system[i][i].sqrt());
    for (i, line) in system.iter_mut().enumerate() {
        for (j, cell) in line.iter_mut().enumerate() {
            *cell /= scale[i] * scale.get(j).copied().unwrap_or(1.0);
        }
        line[i] += damping;
    }
    let [x, y, z] = solve(system)?;
    Some([x / scale[0], y / scale[1], z / scale[2]])
}

/// Gauss's elimination with the largest pivot.
fn solve(mut system: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3)
            .max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()))?;
        system.swap(column, pivot);
        let line = system[column];
        if line[column].is_nan() || line[column].abs() < 1e-14 {
            return None;
        }
        for (_, other) in system.iter_mut().enumerate().filter(|(row, _)| *row != column) {
            let factor = other[column] / line[column];
            other.iter_mut().zip(line).for_each(|(cell, from)| *cell -= factor * from);
        }
    }
    Some([0, 1, 2].map(|i| system[i][3] / system[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

    fn points(law: [f64; 3], noise: impl Fn(usize) -> f64) -> Vec<Point> {
        let point = |(i, n): (usize, f64)| Point { n, per_s: model(law, n).0 * noise(i) };
        SIZES.into_iter().enumerate().map(point).collect()
    }

    fn assert_close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }

    #[test]
    fn known_parameters_are_found_again() {
        for law in
            [[995.6, 0.026_7, 7.69e-4], [20_000.0, 0.3, 1e-5], [7.0, 0.0, 0.0], [50.0, 1.0, 0.0]]
        {
            let fit = fit(&points(law, |_| 1.0)).unwrap();
            assert_close(fit.lambda, law[0], law[0] * 1e-6);
            assert_close(fit.sigma, law[1], 1e-6);
            assert_close(fit.kappa, law[2], 1e-8);
            assert_close(fit.r_squared, 1.0, 1e-9);
            assert_close(fit.at(16.0), model(law, 16.0).0, law[0] * 1e-6);
        }
    }

    #[test]
    fn the_peak_lies_where_more_begins_to_get_less() {
        let fit = fit(&points([1_000.0, 0.02, 5e-4], |_| 1.0)).unwrap();
        let peak = fit.peak.unwrap();
        assert_close(peak, (0.98_f64 / 5e-4).sqrt(), 1e-3);
        assert!(fit.at(peak) > fit.at(peak - 1.0) && fit.at(peak) > fit.at(peak + 1.0));
    }

    #[test]
    fn noise_moves_the_parameters_only_a_little() {
        let noise = |i: usize| if i.is_multiple_of(2) { 1.02 } else { 0.98 };
        let fit = fit(&points([1_000.0, 0.02, 5e-4], noise)).unwrap();
        assert_close(fit.lambda, 1_000.0, 60.0);
        assert_close(fit.sigma, 0.02, 0.01);
        assert_close(fit.kappa, 5e-4, 1e-4);
        assert!(fit.r_squared > 0.99 && fit.r_squared < 1.0);
    }

    /// Better than any neighbour in every parameter, which is what least squares means.
    #[test]
    fn no_neighbour_fits_better() {
        let noisy = points([300.0, 0.1, 1e-4], |i| 1.0 + 0.05 * (i as f64).sin());
        let fit = fit(&noisy).unwrap();
        let law = [fit.lambda, fit.sigma, fit.kappa];
        for parameter in 0..3 {
            for factor in [0.999, 1.001] {
                let mut neighbour = law;
                neighbour[parameter] *= factor;
                assert!(squares(&noisy, neighbour) > squares(&noisy, law));
            }
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_an_error() {
        let point = |n, per_s| Point { n, per_s };
        assert_eq!(fit(&[]), Err(UslError::TooFew));
        let two_sizes = [point(1.0, 10.0), point(2.0, 19.0), point(2.0, 18.0)];
        assert_eq!(fit(&two_sizes), Err(UslError::TooFew));
        for bad in
            [point(0.0, 1.0), point(1.0, 0.0), point(f64::NAN, 1.0), point(1.0, f64::INFINITY)]
        {
            assert_eq!(fit(&[point(1.0, 1.0), point(2.0, 2.0), bad]), Err(UslError::Point));
        }
        // Faster than any law allows: the denominator would have to become negative.
        let cubic = [1.0, 10.0, 100.0, 1_000.0].map(|n| point(n, n * n * n));
        assert!(fit(&cubic).is_err(), "{:?}", fit(&cubic));
    }
}

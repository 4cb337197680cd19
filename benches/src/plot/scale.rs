//! From values to places on an axis, and where its ticks are.

/// About so many ticks fit without their labels touching.
const TICKS: f64 = 6.0;

/// One axis' mapping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// From the first to the second value.
    Linear(f64, f64),
    /// The same in the logarithm.
    Log(f64, f64),
}

impl Scale {
    /// From 0 to a tick that is at least the largest value.
    pub(crate) fn linear_over(values: &[f64]) -> Self {
        let max = largest(values);
        let step = step(max);
        Self::Linear(0.0, ((max / step - 1e-9).ceil() * step).max(step))
    }

    /// From 0 to the largest value itself.
    pub(crate) fn linear_until(values: &[f64]) -> Self {
        let max = largest(values);
        Self::Linear(0.0, if max > 0.0 { max } else { 1.0 })
    }

    /// From a tick below the smallest to one above the largest of the values, which are positive.
    pub(crate) fn log_over(values: &[f64]) -> Self {
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(min, max), v| (min.min(*v), max.max(*v)));
        if min > max {
            return Self::Log(1.0, 10.0);
        }
        let low = steps_of_ten(min).filter(|tick| *tick <= min * (1.0 + 1e-9)).fold(0.0, f64::max);
        let above = |tick: &f64| *tick >= max * (1.0 - 1e-9) && *tick > low;
        let high = steps_of_ten(max).filter(above).fold(f64::INFINITY, f64::min);
        Self::Log(low, high)
    }

    /// 0 at the beginning of the axis, 1 at its end.
    pub(crate) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear(low, high) => (value - low) / (high - low),
            Self::Log(low, high) => (value / low).ln() / (high / low).ln(),
        }
    }

    /// The values that get a line and a label.
    pub(crate) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(low, high) => {
                let step = step(high - low);
                let count = ((high - low) / step + 1e-9).floor() as usize;
                (0..=count).map(|n| low + n as f64 * step).collect()
            }
            Self::Log(low, high) => {
                let decades = (high / low).log10();
                let is_wide = decades > 2.01;
                let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
                exponents
                    .flat_map(|exponent| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(exponent)))
                    .filter(|tick| *tick > low * (1.0 - 1e-9) && *tick < high * (1.0 + 1e-9))
                    .filter(|tick| !is_wide || is_power_of_ten(*tick))
                    .collect()
            }
        }
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// 1, 2 or 5 times a power of ten, so that about [`TICKS`] of them make up the range.
fn step(range: f64) -> f64 {
    if range <= 0.0 {
        return 1.0;
    }
    let rough = range / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let digit = match rough / power {
        digit if digit <= 1.0 + 1e-9 => 1.0,
        digit if digit <= 2.0 + 1e-9 => 2.0,
        digit if digit <= 5.0 + 1e-9 => 5.0,
        _ => 10.0,
    };
    digit * power
}

/// 1, 2 and 5 times the powers of ten around a value.
fn steps_of_ten(value: f64) -> impl Iterator<Item = f64> {
    let exponent = value.log10().floor() as i32;
    (exponent - 1..=exponent + 1)
        .flat_map(|exponent| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(exponent)))
}

fn is_power_of_ten(tick: f64) -> bool {
    let exponent = tick.log10();
    (exponent - exponent.round()).abs() < 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_ends_at_a_tick() {
        let scale = Scale::linear_over(&[300.0, 17_300.0]);
        assert_eq!(scale, Scale::Linear(0.0, 20_000.0));
        assert_eq!(scale.ticks(), [0.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0]);
        assert_eq!(Scale::linear_over(&[20_000.0]), Scale::Linear(0.0, 20_000.0));
    }

    #[test]
    fn an_axis_without_values_can_still_be_drawn() {
        assert_eq!(Scale::linear_over(&[]), Scale::Linear(0.0, 1.0));
        assert_eq!(Scale::linear_until(&[0.0]), Scale::Linear(0.0, 1.0));
        assert_eq!(Scale::log_over(&[]), Scale::Log(1.0, 10.0));
    }

    #[test]
    fn a_wide_logarithmic_axis_has_a_tick_per_decade_and_a_narrow_one_three() {
        let wide = Scale::log_over(&[1.3, 4_200.0]);
        assert_eq!(wide, Scale::Log(1.0, 5_000.0));
        assert_eq!(wide.ticks(), [1.0, 10.0, 100.0, 1_000.0]);
        let narrow = Scale::log_over(&[3.0, 48.0]);
        assert_eq!(narrow.ticks(), [2.0, 5.0, 10.0, 20.0, 50.0]);
    }

    #[test]
    fn a_logarithmic_axis_of_one_value_has_a_length() {
        assert_eq!(Scale::log_over(&[10.0]), Scale::Log(10.0, 20.0));
    }

    #[test]
    fn every_value_is_within_its_axis() {
        for exponent in -30..30 {
            let value = 1.7_f64.powi(exponent);
            for scale in
                [Scale::linear_over as fn(&[f64]) -> Scale, Scale::linear_until, Scale::log_over]
            {
                let place = scale(&[value, value * 3.0]).place(value);
                assert!((0.0..=1.0).contains(&place), "{value} is at {place}");
            }
        }
    }

    #[test]
    fn equal_ratios_are_equal_distances() {
        let scale = Scale::Log(1.0, 100.0);
        assert!((scale.place(10.0) - 0.5).abs() < 1e-12);
    }
}

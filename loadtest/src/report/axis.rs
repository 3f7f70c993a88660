//! Axes: where the ticks stand and what is written at them.

/// How values become positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
}

/// One axis from `low` to `high` on `length` pixels.
#[derive(Clone, Debug)]
pub struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    pub ticks: Vec<f64>,
}

impl Axis {
    /// A linear axis that holds all values, from 0 unless some are negative, with about `wanted` ticks.
    pub fn linear(values: impl Iterator<Item = f64>, wanted: usize) -> Self {
        let (low, high) = bounds(values.chain([0.0]));
        let high = if high > low { high } else { low + 1.0 };
        let step = nice_step((high - low) / wanted as f64);
        let low = (low / step).floor() * step;
        let high = (high / step).ceil() * step;
        let count = ((high - low) / step).round() as usize;
        let ticks = (0..=count).map(|index| low + step * index as f64).collect();
        Self { scale: Scale::Linear, low, high, ticks }
    }

    /// From the first to the last value exactly, for time.
    pub fn spanning(values: impl Iterator<Item = f64>, wanted: usize) -> Self {
        let (low, high) = bounds(values);
        let high = if high > low { high } else { low + 1.0 };
        let step = nice_step((high - low) / wanted as f64);
        let first = (low / step).ceil() as i64;
        let last = (high / step).floor() as i64;
        let ticks = (first..=last).map(|index| index as f64 * step).collect();
        Self { scale: Scale::Linear, low, high, ticks }
    }

    /// A logarithmic axis around the positive values; 1-2-5 ticks when it is short.
    pub fn log(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = bounds(values.filter(|value| *value > 0.0));
        let (low, high) = if low.is_finite() { (low, high) } else { (0.1, 1.0) };
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let last = last.max(first + 1);
        let factors: &[f64] = if last - first <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for power in first..last {
            for factor in factors {
                ticks.push(factor * 10f64.powi(power));
            }
        }
        ticks.push(10f64.powi(last));
        // Whole ticks that nothing reaches are cut off at both ends.
        while ticks.len() > 2 && ticks[1] <= low {
            ticks.remove(0);
        }
        while ticks.len() > 2 && ticks[ticks.len() - 2] >= high {
            ticks.pop();
        }
        Self { scale: Scale::Log, low: ticks[0], high: ticks[ticks.len() - 1], ticks }
    }

    /// 0 at the low end, 1 at the high end; values beyond are at the ends.
    pub fn position(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => {
                let value = value.max(self.low);
                (value / self.low).ln() / (self.high / self.low).ln()
            }
        };
        part.clamp(0.0, 1.0)
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn nice_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.max(1e-9).log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * power >= raw * 0.999);
    factor.unwrap_or(10.0) * power
}

/// A number as short as it can be read: `28k`, `1.5`, `0.02`.
pub fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = match scaled.abs() {
        size if size >= 100.0 || scaled.fract() == 0.0 => format!("{scaled:.0}"),
        size if size >= 10.0 => format!("{scaled:.1}"),
        size if size >= 0.1 => format!("{scaled:.2}"),
        _ => format!("{scaled:.3}"),
    };
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    format!("{text}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_ticks_are_round_and_hold_the_values() {
        let axis = Axis::linear([3.0, 27_400.0].into_iter(), 4);
        assert_eq!(axis.ticks, [0.0, 10_000.0, 20_000.0, 30_000.0]);
        assert_eq!(axis.position(15_000.0), 0.5);
    }

    #[test]
    fn a_log_axis_is_no_longer_than_its_values() {
        let axis = Axis::log([0.4, 35.0].into_iter());
        assert_eq!(axis.ticks, [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0][..].to_vec());
        assert_eq!(axis.position(0.01), 0.0);
    }

    #[test]
    fn an_axis_of_nothing_still_has_two_ends() {
        for axis in [Axis::linear([].into_iter(), 4), Axis::log([].into_iter())] {
            assert!(axis.ticks.len() >= 2, "{axis:?}");
        }
    }

    #[test]
    fn numbers_are_written_short() {
        let texts = [28_000.0, 1500.0, 1.5, 0.02, 0.0, 2_500_000.0].map(short);
        assert_eq!(texts, ["28k", "1500", "1.5", "0.02", "0", "2.5M"]);
    }
}

//! The drawing. It is small, so that its text stays readable on a telephone, and grows with the page.

use std::fmt;

use super::scale::Scale;
use super::{Look, Mark, Marker, Plot, Series, Span, escape};

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 366.0;
const BOTTOM: f64 = 226.0;
/// Above the plot area: the y-axis' name, and below it those of marks and spans where there are any.
const TOP: f64 = 30.0;
const TOP_WITH_NAMES: f64 = 48.0;
/// A label for a mark is taken to be so wide per character.
const CHARACTER: f64 = 5.7;

/// A plot as an SVG element.
pub(crate) struct Svg<'a> {
    plot: &'a Plot,
    x: Scale,
    y: Scale,
    top: f64,
}

impl<'a> Svg<'a> {
    pub(crate) fn new(plot: &'a Plot) -> Self {
        let marks = plot.marks.iter().map(|mark| mark.at);
        let points = plot.series.iter().flat_map(|series| &series.points).map(|(x, _)| *x);
        let has_names = !plot.marks.is_empty() || !plot.spans.is_empty();
        let values: Vec<_> = plot.values().collect();
        Self {
            plot,
            x: Scale::linear_until(&points.chain(marks).collect::<Vec<_>>()),
            y: if plot.y.log { Scale::log_over(&values) } else { Scale::linear_over(&values) },
            top: if has_names { TOP_WITH_NAMES } else { TOP },
        }
    }

    fn left_of(&self, x: f64) -> f64 {
        LEFT + self.x.place(x) * (RIGHT - LEFT)
    }

    fn top_of(&self, y: f64) -> f64 {
        BOTTOM - self.y.place(y) * (BOTTOM - self.top)
    }
}

impl fmt::Display for Svg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plot { id, title, caption, .. } = self.plot;
        writeln!(
            f,
            "<svg class=\"plot\" id=\"{id}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\">"
        )?;
        writeln!(f, "<title id=\"{id}-title\">{}</title>", escape(title))?;
        writeln!(f, "<desc id=\"{id}-desc\">{}</desc>", escape(caption))?;
        self.plot.spans.iter().try_for_each(|span| self.write_span(f, span))?;
        self.write_axes(f)?;
        self.plot
            .series
            .iter()
            .filter(|s| s.look.area)
            .try_for_each(|s| self.write_series(f, s))?;
        self.write_marks(f)?;
        self.plot
            .series
            .iter()
            .filter(|s| !s.look.area)
            .try_for_each(|s| self.write_series(f, s))?;
        writeln!(f, "</svg>")
    }
}

impl Svg<'_> {
    fn write_axes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plot { x, y, .. } = self.plot;
        for tick in self.y.ticks() {
            let at = self.top_of(tick);
            write!(f, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>")?;
            write_text(f, "tick", (LEFT - 6.0, at + 4.0), "end", &y.unit.tick(tick))?;
        }
        for tick in self.x.ticks() {
            let at = self.left_of(tick);
            write!(f, "<path class=\"axis\" d=\"M{at:.1} {BOTTOM}v5\"/>")?;
            write_text(f, "tick", (at, BOTTOM + 18.0), "middle", &x.unit.tick(tick))?;
        }
        writeln!(f, "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>")?;
        write_text(f, "name", (4.0, 14.0), "start", &y.label)?;
        write_text(f, "name", (RIGHT, HEIGHT - 8.0), "end", &x.label)
    }

    fn write_span(&self, f: &mut fmt::Formatter<'_>, span: &Span) -> fmt::Result {
        let (from, to) = (self.left_of(span.from), self.left_of(span.to));
        write!(
            f,
            "<rect class=\"span\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            self.top,
            to - from,
            BOTTOM - self.top
        )?;
        let half = span.label.chars().count() as f64 * CHARACTER / 2.0;
        let middle = f64::midpoint(from, to).clamp(LEFT + half, RIGHT - half);
        write_text(f, "tick", (middle, self.top - 6.0), "middle", &span.label)
    }

    /// The label of the leftmost stands left of its line and that of others right, so that two that are
    /// close to each other do not overlap.
    fn write_marks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leftmost = self.plot.marks.iter().map(|mark| mark.at).fold(f64::INFINITY, f64::min);
        for Mark { at, label, class } in &self.plot.marks {
            let left = self.left_of(*at);
            let width = label.chars().count() as f64 * CHARACTER;
            let is_first = *at <= leftmost && self.plot.marks.len() > 1;
            let before = (is_first && left - width > LEFT) || left + width > WIDTH;
            let (anchor, shift) = if before { ("end", 4.0) } else { ("start", -4.0) };
            write!(f, "<g class=\"{class}\">")?;
            write!(f, "<path class=\"mark\" d=\"M{left:.1} {:.1}V{BOTTOM}\"/>", self.top - 3.0)?;
            write_text(f, "coloured", (left + shift, self.top - 6.0), anchor, label)?;
            writeln!(f, "</g>")?;
        }
        Ok(())
    }

    fn write_series(&self, f: &mut fmt::Formatter<'_>, series: &Series) -> fmt::Result {
        let Look { class, dashed, area, marker } = series.look;
        writeln!(f, "<g class=\"{class}\">")?;
        for run in self.runs(series) {
            let corners: Vec<_> = run.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            let path = corners.join("L");
            if area {
                let (first, last) = (run[0].0, run[run.len() - 1].0);
                writeln!(
                    f,
                    "<path class=\"area\" d=\"M{first:.1} {BOTTOM}L{path}L{last:.1} {BOTTOM}Z\"/>"
                )?;
            } else {
                let dashed = if dashed { " dashed" } else { "" };
                writeln!(f, "<path class=\"line{dashed}\" d=\"M{path}\"/>")?;
            }
            let Some(marker) = marker else { continue };
            run.iter().try_for_each(|(x, y)| write_marker(f, marker, dashed, *x, *y))?;
        }
        writeln!(f, "</g>")
    }

    /// The places of a line's points, parted where a value is missing.
    fn runs(&self, series: &Series) -> Vec<Vec<(f64, f64)>> {
        let mut runs = vec![Vec::new()];
        for (x, y) in &series.points {
            match y.filter(|y| y.is_finite() && (!self.plot.y.log || *y > 0.0)) {
                Some(y) => {
                    if let Some(run) = runs.last_mut() {
                        run.push((self.left_of(*x), self.top_of(y)));
                    }
                }
                None => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }
}

/// A hollow marker goes with a dashed line.
pub(super) fn write_marker(
    f: &mut fmt::Formatter<'_>,
    marker: Marker,
    hollow: bool,
    x: f64,
    y: f64,
) -> fmt::Result {
    let class = if hollow { "hollow" } else { "filled" };
    match marker {
        Marker::Circle => {
            write!(f, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.6\"/>")
        }
        Marker::Square => write!(
            f,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"6.6\" height=\"6.6\"/>",
            x - 3.3,
            y - 3.3
        ),
    }
}

fn write_text(
    f: &mut fmt::Formatter<'_>,
    class: &str,
    (x, y): (f64, f64),
    anchor: &str,
    text: &str,
) -> fmt::Result {
    writeln!(
        f,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        escape(text)
    )
}

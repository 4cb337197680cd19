//! Plots as inline SVG: enough of them for a report, and nothing to load from anywhere.
//!
//! ```text
//!  mod    what a plot shows          scale   from values to places, and the ticks
//!  unit   how values are written     svg     the drawing
//!  table  the same data for reading  legend  which line is which
//! ```
//!
//! Colours come from the page, by class, so that one drawing serves light and dark. Every line can be
//! told from the others without colour, by its dashes and marks.

mod legend;
mod scale;
mod svg;
mod table;
mod unit;

pub(crate) use legend::Legend;
pub(crate) use svg::Svg;
pub(crate) use table::Table;
pub(crate) use unit::{Unit, grouped, three_digits};

/// One drawing.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    /// Unique in the page.
    pub(crate) id: String,
    /// What it shows, in a few words.
    pub(crate) title: String,
    /// What to see in it, in a sentence, for those who read over it and those who cannot see it.
    pub(crate) caption: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Vertical lines.
    pub(crate) marks: Vec<Mark>,
    /// Stretches of the x-axis.
    pub(crate) spans: Vec<Span>,
}

/// One of the two axes.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) unit: Unit,
    /// Equal distances are equal ratios; values of 0 and less cannot be shown.
    pub(crate) log: bool,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// In the order of x; a gap where there is no value.
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// The class that gives it its colour.
    pub(crate) class: &'static str,
    pub(crate) dashed: bool,
    /// Fill what is below it, and draw no line.
    pub(crate) area: bool,
    /// What to draw at each point.
    pub(crate) marker: Option<Marker>,
}

/// What is drawn at each point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
}

/// A value of x that matters.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) at: f64,
    pub(crate) label: String,
    pub(crate) class: &'static str,
}

/// A stretch of x that matters.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) label: String,
}

impl Axis {
    pub(crate) fn linear(label: impl Into<String>, unit: Unit) -> Self {
        Self { label: label.into(), unit, log: false }
    }

    pub(crate) fn log(label: impl Into<String>, unit: Unit) -> Self {
        Self { label: label.into(), unit, log: true }
    }
}

impl Plot {
    /// Whether there is anything to draw.
    pub(crate) fn has_data(&self) -> bool {
        self.values().next().is_some()
    }

    /// Every value that can be drawn.
    fn values(&self) -> impl Iterator<Item = f64> {
        let drawable = |y: &f64| y.is_finite() && (!self.y.log || *y > 0.0);
        self.series
            .iter()
            .flat_map(|series| &series.points)
            .filter_map(|(_, y)| *y)
            .filter(drawable)
    }
}

/// Text for the inside of an element or of an attribute in double quotes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! A line chart as SVG. Colours are classes, so that the page decides about light and dark.

use std::fmt::Write;

use super::axis::{Axis, Scale, short};

pub struct Chart {
    pub title: &'static str,
    /// What the picture says, in a sentence.
    pub caption: String,
    pub unit: &'static str,
    pub scale: Scale,
    pub lines: Vec<Line>,
    /// Parts of the x axis that are shaded, with their names.
    pub bands: Vec<(f64, f64, &'static str)>,
    /// Names of ticks, when the x axis is not time.
    pub x_ticks: Option<Vec<(f64, String)>>,
    /// Shade below the first line.
    pub filled: bool,
}

pub struct Line {
    pub name: String,
    /// Class of its colour: `c0`… for kinds, `q0`… for an order.
    pub class: String,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 28.0;

impl Chart {
    pub fn time(
        title: &'static str,
        caption: String,
        unit: &'static str,
        scale: Scale,
        lines: Vec<Line>,
    ) -> Self {
        Self { title, caption, unit, scale, lines, bands: Vec::new(), x_ticks: None, filled: false }
    }

    /// The figure: heading, legend, picture, and the data for the pointer.
    pub fn figure(&self) -> String {
        let mut html = String::new();
        let _ =
            write!(html, "<figure><figcaption><h2>{}</h2><p>{}</p></figcaption>", self.title, self.caption);
        html.push_str("<ul class=\"legend\">");
        for line in &self.lines {
            let last = line.points.last().map_or(String::new(), |(_, y)| short(*y));
            let _ = write!(
                html,
                "<li class=\"{}\"><i></i>{} <b data-now>{last}</b></li>",
                line.class,
                escape(&line.name)
            );
        }
        let _ = write!(html, "<li class=\"unit\">{}</li></ul>", self.unit);
        self.picture(&mut html);
        html.push_str("</figure>");
        html
    }

    fn picture(&self, html: &mut String) {
        let all = || self.lines.iter().flat_map(|line| line.points.iter());
        let x_axis = Axis::spanning(all().map(|point| point.0), 8);
        let y_axis = match self.scale {
            Scale::Linear => Axis::linear(all().map(|point| point.1), 4),
            Scale::Log => Axis::log(all().map(|point| point.1)),
        };
        let x = |value: f64| LEFT + x_axis.position(value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - y_axis.position(value) * (HEIGHT - TOP - BOTTOM);
        let _ = write!(
            html,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" data-left=\"{LEFT}\" data-right=\"{}\">",
            self.title,
            WIDTH - RIGHT
        );
        for (from, to, name) in &self.bands {
            let (from, to) = (x(*from), x(*to));
            let _ = write!(
                html,
                "<rect class=\"band\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/><text class=\"bandname\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                to - from,
                HEIGHT - TOP - BOTTOM,
                from + 5.0,
                TOP + 12.0,
            );
        }
        for tick in &y_axis.ticks {
            let at = y(*tick);
            let _ = write!(
                html,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"tick y\" x=\"{}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
                short(*tick)
            );
        }
        let named = |tick: &f64| (*tick, format!("{} s", short(*tick)));
        let x_ticks = self.x_ticks.clone().unwrap_or_else(|| x_axis.ticks.iter().map(named).collect());
        for (tick, name) in x_ticks {
            let _ = write!(
                html,
                "<text class=\"tick x\" x=\"{:.1}\" y=\"{}\">{name}</text>",
                x(tick),
                HEIGHT - 8.0
            );
        }
        if self.filled
            && let Some(line) = self.lines.first()
            && let (Some(first), Some(last)) = (line.points.first(), line.points.last())
        {
            let floor = HEIGHT - BOTTOM;
            let _ = write!(
                html,
                "<path class=\"area {}\" d=\"{} L{:.1} {floor:.1} L{:.1} {floor:.1} Z\"/>",
                line.class,
                path(&line.points, x, y),
                x(last.0),
                x(first.0)
            );
        }
        // The first line is drawn last: it is the one that matters.
        for line in self.lines.iter().rev() {
            let _ = write!(html, "<path class=\"line {}\" d=\"{}\"/>", line.class, path(&line.points, x, y));
        }
        html.push_str("<line class=\"cursor\" y1=\"14\" y2=\"232\"/></svg>");
        self.data(html, x);
    }

    /// For the pointer: positions on the x axis and what each line shows there.
    fn data(&self, html: &mut String, x: impl Fn(f64) -> f64) {
        let Some(longest) = self.lines.iter().max_by_key(|line| line.points.len()) else {
            return;
        };
        let positions: Vec<f64> =
            longest.points.iter().map(|point| (x(point.0) * 10.0).round() / 10.0).collect();
        let values: Vec<Vec<String>> = self
            .lines
            .iter()
            .map(|line| {
                let at = |wanted: f64| line.points.iter().find(|point| point.0 == wanted);
                longest
                    .points
                    .iter()
                    .map(|point| at(point.0).map_or(String::new(), |found| short(found.1)))
                    .collect()
            })
            .collect();
        let json = serde_json::json!({"x": positions, "lines": values});
        let _ = write!(html, "<script type=\"application/json\">{json}</script>");
    }
}

fn path(points: &[(f64, f64)], x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for (index, (at, value)) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{:.1} {:.1} ", x(*at), y(*value));
    }
    path
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

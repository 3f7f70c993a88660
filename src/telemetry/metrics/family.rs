//! Metrics with bounded labels as arrays of handles, and the macro that declares a theme.

use std::marker::PhantomData;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};

use super::Role;

/// The values that a label can have.
pub trait Label: Copy + 'static {
    const NAME: &'static str;
    /// In the order of [`Label::index`].
    const ALL: &'static [Self];

    fn index(self) -> usize;

    fn value(self) -> &'static str;

    /// Whether a process of this role shows the value.
    fn exists_in(self, _role: Role) -> bool {
        true
    }
}

/// Where a theme registers, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub registry: &'a Registry,
    pub role: Role,
}

/// One declared metric.
#[derive(Debug, Clone, Copy)]
pub struct Spec<'a> {
    pub name: &'static str,
    pub help: &'static str,
    /// Of a histogram; otherwise empty.
    pub buckets: &'static [f64],
    pub scope: Scope<'a>,
}

impl Spec<'_> {
    fn opts(&self) -> Opts {
        Opts::new(format!("tidings_{}", self.name), self.help.trim())
    }

    fn histogram(&self) -> HistogramOpts {
        HistogramOpts { common_opts: self.opts(), buckets: self.buckets.to_vec() }
    }

    /// For labels whose values no enum can hold.
    pub fn family_of_gauges(&self, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(self.opts(), labels).expect(DECLARED))
    }

    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        let registered = self.scope.registry.register(Box::new(collector.clone()));
        registered.expect("names are unique, as the fields of a struct are");
        collector
    }
}

/// What can stand as the type of a field in [`theme!`].
pub trait Metric {
    fn create(spec: Spec<'_>) -> Self;
}

/// One series of a family.
pub trait Series: Clone {
    /// Registers the family; the closure makes the series of given label values.
    fn family(spec: Spec<'_>, labels: &[&str]) -> impl Fn(&[&str]) -> Self;
}

const DECLARED: &str = "declared names, labels and buckets are valid, the test of metrics makes all";

macro_rules! series {
    ($single:ident, $family:ident, $opts:ident) => {
        impl Metric for $single {
            fn create(spec: Spec<'_>) -> Self {
                spec.register($single::with_opts(spec.$opts()).expect(DECLARED))
            }
        }

        impl Series for $single {
            fn family(spec: Spec<'_>, labels: &[&str]) -> impl Fn(&[&str]) -> Self {
                let family = spec.register($family::new(spec.$opts(), labels).expect(DECLARED));
                move |values| family.with_label_values(values)
            }
        }
    };
}

series!(IntCounter, IntCounterVec, opts);
series!(IntGauge, IntGaugeVec, opts);
series!(Gauge, GaugeVec, opts);
series!(Histogram, HistogramVec, histogram);

/// A metric with one label.
#[derive(Debug)]
pub struct By<L, M> {
    series: Box<[M]>,
    label: PhantomData<L>,
}

impl<L: Label, M> By<L, M> {
    pub fn get(&self, label: L) -> &M {
        &self.series[label.index()]
    }
}

impl<L: Label, M: Series> Metric for By<L, M> {
    fn create(spec: Spec<'_>) -> Self {
        let unseen = Registry::new();
        let shown = M::family(spec, &[L::NAME]);
        let hidden = M::family(unshown(spec, &unseen), &[L::NAME]);
        let make = |label: &L| {
            let family: &dyn Fn(&[&str]) -> M =
                if label.exists_in(spec.scope.role) { &shown } else { &hidden };
            family(&[label.value()])
        };
        Self { series: L::ALL.iter().map(make).collect(), label: PhantomData }
    }
}

/// A metric with two labels.
#[derive(Debug)]
pub struct By2<A, B, M> {
    series: Box<[M]>,
    labels: PhantomData<(A, B)>,
}

impl<A: Label, B: Label, M> By2<A, B, M> {
    pub fn get(&self, first: A, second: B) -> &M {
        &self.series[first.index() * B::ALL.len() + second.index()]
    }
}

impl<A: Label, B: Label, M: Series> Metric for By2<A, B, M> {
    fn create(spec: Spec<'_>) -> Self {
        let unseen = Registry::new();
        let names = [A::NAME, B::NAME];
        let shown = M::family(spec, &names);
        let hidden = M::family(unshown(spec, &unseen), &names);
        let role = spec.scope.role;
        let mut series = Vec::with_capacity(A::ALL.len() * B::ALL.len());
        for first in A::ALL {
            for second in B::ALL {
                let values = [first.value(), second.value()];
                let exists = first.exists_in(role) && second.exists_in(role);
                series.push(if exists { shown(&values) } else { hidden(&values) });
            }
        }
        Self { series: series.into(), labels: PhantomData }
    }
}

fn unshown<'a>(spec: Spec<'a>, registry: &'a Registry) -> Spec<'a> {
    Spec { scope: Scope { registry, ..spec.scope }, ..spec }
}

/// Declares the metrics of one theme. Name, type and help of each are written once.
macro_rules! theme {
    (
        $(#[$about:meta])*
        pub struct $theme:ident {
            $($(#[doc = $help:literal])+ $field:ident: $kind:ty $(= $buckets:expr)?,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $theme {
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl $theme {
            pub(super) fn new(scope: $crate::telemetry::metrics::family::Scope<'_>) -> Self {
                use $crate::telemetry::metrics::family::{Metric, Spec};
                Self {
                    $($field: <$kind as Metric>::create(Spec {
                        name: stringify!($field),
                        help: concat!($($help),+),
                        buckets: theme!(@buckets $($buckets)?),
                        scope,
                    }),)+
                }
            }
        }
    };
    (@buckets) => { &[] };
    (@buckets $buckets:expr) => { $buckets };
}

/// Declares the values of one label.
macro_rules! label {
    (
        $(#[$about:meta])*
        pub enum $label:ident: $name:literal {
            $($(#[$value_about:meta])* $variant:ident = $value:literal,)+
        }
        $(in $role:ident => $exists:expr;)?
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $label {
            $($(#[$value_about])* $variant,)+
        }

        impl $crate::telemetry::metrics::family::Label for $label {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn index(self) -> usize {
                self as usize
            }

            fn value(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)+
                }
            }

            $(fn exists_in(self, $role: $crate::telemetry::metrics::Role) -> bool {
                ($exists)(self)
            })?
        }
    };
}

pub(super) use {label, theme};

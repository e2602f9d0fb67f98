//! tract as a child of the benchmark. It computes on one thread.

use anyhow::{bail, Result};
use bench_peers::{answer, tensor::Data, Task};
use std::time::Instant;
use tract_onnx::prelude::*;

fn main() -> Result<()> {
    let task = Task::from_args()?;
    if task.threads != 1 {
        bail!("tract runs on one thread");
    }
    let start = Instant::now();
    let mut model = tract_onnx::onnx().model_for_path(&task.model)?;
    let names: Vec<String> = model.input_outlets()?.iter().map(|o| model.node(o.node).name.clone()).collect();
    let mut values: TVec<TValue> = tvec!();
    for (i, name) in names.iter().enumerate() {
        let input = task.input(name)?;
        let shape = &input.shape[..];
        let value = match &input.data {
            Data::F32(v) => Tensor::from_shape(shape, v)?,
            Data::I32(v) => Tensor::from_shape(shape, v)?,
            Data::I64(v) => Tensor::from_shape(shape, v)?,
        };
        // It compiles for the shapes that it is going to get.
        model.set_input_fact(i, value.datum_type().fact(shape).into())?;
        values.push(value.into());
    }
    let plan = model.into_optimized()?.into_runnable()?;
    let loading = start.elapsed();
    answer(loading, || plan.run(values.clone()).map(drop))
}

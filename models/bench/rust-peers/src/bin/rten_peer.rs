//! rten as a child of the benchmark.

use anyhow::Result;
use bench_peers::{answer, tensor::Data, Task};
use rten::{Model, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::Tensor;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<()> {
    let task = Task::from_args()?;
    let pool = Arc::new(ThreadPool::with_num_threads(task.threads));
    let start = Instant::now();
    let model = Model::load_file(&task.model)?;
    let loading = start.elapsed();
    let mut inputs: Vec<(NodeId, Value)> = Vec::new();
    for input in &task.inputs {
        // A model may not read all that others read.
        if let Some(id) = model.find_node(&input.name) {
            let shape = &input.shape[..];
            inputs.push((id, match &input.data {
                Data::F32(v) => Tensor::from_data(shape, v.clone()).into(),
                Data::I32(v) => Tensor::from_data(shape, v.clone()).into(),
                Data::I64(v) => Tensor::from_data(shape, v.iter().map(|&i| i as i32).collect::<Vec<_>>()).into(), // rten's integers
            }));
        }
    }
    let outputs = model.output_ids().to_vec();
    answer(loading, || {
        let mut options = RunOptions::default();
        options.thread_pool = Some(pool.clone());
        let views: Vec<(NodeId, ValueOrView)> = inputs.iter().map(|(id, v)| (*id, v.as_view().into())).collect();
        model.run(views, &outputs, Some(options)).map(drop)
    })
}

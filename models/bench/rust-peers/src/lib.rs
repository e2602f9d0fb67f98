//! The child's side of the benchmark: its command line, its inputs, and the answers to the driver.

pub mod tensor;

use anyhow::{anyhow, bail, Context, Result};
use std::fmt::Display;
use std::io::{stdin, stdout, BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tensor::Input;

/// What the driver asks for: `MODEL --threads N --inputs DIR`.
pub struct Task {
    pub model: PathBuf,
    pub threads: usize,
    pub inputs: Vec<Input>,
}

impl Task {
    /// Reads the command line and every `input_*.pb` of its folder.
    pub fn from_args() -> Result<Task> {
        let mut words = std::env::args().skip(1);
        let model = words.next().context("want a model")?.into();
        let (mut threads, mut folder) = (1, None);
        while let Some(flag) = words.next() {
            let value = words.next().with_context(|| format!("{flag} wants a value"))?;
            match flag.as_str() {
                "--threads" => threads = value.parse()?,
                "--inputs" => folder = Some(PathBuf::from(value)),
                _ => bail!("unknown flag {flag}"),
            }
        }
        let folder = folder.context("want --inputs")?;
        let mut inputs = Vec::new();
        loop {
            let file = folder.join(format!("input_{}.pb", inputs.len()));
            if !file.exists() {
                break;
            }
            inputs.push(Input::parse(&std::fs::read(&file)?).with_context(|| file.display().to_string())?);
        }
        Ok(Task { model, threads, inputs })
    }

    pub fn input(&self, name: &str) -> Result<&Input> {
        self.inputs.iter().find(|i| i.name == name).ok_or_else(|| anyhow!("no input {name}"))
    }
}

/// Says that the model is ready, then runs it as often as the driver asks, until it says quit or goes away.
pub fn answer<E: Display>(loading: Duration, mut run: impl FnMut() -> std::result::Result<(), E>) -> Result<()> {
    let mut out = stdout().lock();
    let mut say = |line: String| -> Result<()> {
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    };
    say(format!("ready {} {}", loading.as_nanos(), resident("VmRSS:")?))?;
    for line in stdin().lock().lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["quit"] => break,
            ["rss"] => say(resident("VmHWM:")?.to_string())?,
            ["run", times] => {
                let mut spent = Vec::new();
                for _ in 0..times.parse::<usize>()? {
                    let start = Instant::now();
                    run().map_err(|e| anyhow!("{e:#}"))?;
                    spent.push(start.elapsed().as_nanos().to_string());
                }
                say(spent.join(" "))?
            }
            _ => bail!("cannot do {line:?}"),
        }
    }
    Ok(())
}

/// A size in KB from the process's status.
fn resident(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix(field)).context("no such field")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

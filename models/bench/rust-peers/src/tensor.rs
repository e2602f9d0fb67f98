//! TensorProto as far as inputs need it, straight from the wire format of protocol buffers.

use anyhow::{bail, Context, Result};

pub struct Input {
    pub name: String,
    pub shape: Vec<usize>,
    pub data: Data,
}

pub enum Data {
    F32(Vec<f32>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

/// A cursor over encoded bytes.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().context("cut short")?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("a number of more than 64 bits")
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        if n > self.0.len() {
            bail!("cut short");
        }
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(head)
    }

    /// The numbers of a repeated integer field, packed or one of many.
    fn integers(&mut self, wire_type: u64, into: &mut Vec<i64>) -> Result<()> {
        if wire_type == 0 {
            into.push(self.varint()? as i64);
            return Ok(());
        }
        let n = self.varint()? as usize;
        let mut packed = Wire(self.take(n)?);
        while !packed.0.is_empty() {
            into.push(packed.varint()? as i64);
        }
        Ok(())
    }
}

fn each<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.chunks_exact(N).map(|c| from(c.try_into().expect("a chunk of N"))).collect()
}

impl Input {
    pub fn parse(bytes: &[u8]) -> Result<Input> {
        let mut wire = Wire(bytes);
        let (mut dims, mut integers, mut floats, mut raw) = (vec![], vec![], vec![], None);
        let (mut name, mut kind) = (String::new(), 0);
        while !wire.0.is_empty() {
            let key = wire.varint()?;
            match (key >> 3, key & 7) {
                (1, t) => wire.integers(t, &mut dims)?,
                (2, 0) => kind = wire.varint()?,
                (4, 5) => floats.extend(each(wire.take(4)?, f32::from_le_bytes)),
                (4, 2) => {
                    let n = wire.varint()? as usize;
                    floats.extend(each(wire.take(n)?, f32::from_le_bytes));
                }
                (5 | 7, t) => wire.integers(t, &mut integers)?,
                (field, 2) => {
                    let n = wire.varint()? as usize;
                    let content = wire.take(n)?;
                    match field {
                        8 => name = String::from_utf8(content.to_vec())?,
                        9 => raw = Some(content),
                        _ => {}
                    }
                }
                (_, 0) => drop(wire.varint()?),
                (_, 1) => drop(wire.take(8)?),
                (_, 5) => drop(wire.take(4)?),
                (field, t) => bail!("field {field} of wire type {t}"),
            }
        }
        let data = match (kind, raw) {
            (1, Some(raw)) => Data::F32(each(raw, f32::from_le_bytes)),
            (1, None) => Data::F32(floats),
            (6, Some(raw)) => Data::I32(each(raw, i32::from_le_bytes)),
            (6, None) => Data::I32(integers.iter().map(|&i| i as i32).collect()),
            (7, Some(raw)) => Data::I64(each(raw, i64::from_le_bytes)),
            (7, None) => Data::I64(integers),
            (kind, _) => bail!("elements of type {kind}, want float, int32 or int64"),
        };
        Ok(Input { name, shape: dims.iter().map(|&d| d as usize).collect(), data })
    }
}

//! A CSV file seen through the columns that a reader needs, in the order it names them.

use crate::ReadError;
use std::io::Read;

pub(crate) struct Table<R, const N: usize> {
    reader: csv::Reader<R>,
    columns: [usize; N],
    record: csv::StringRecord,
}

/// One line of the table.
pub(crate) enum Row<'a, const N: usize> {
    Fields {
        line: u64,
        fields: [&'a str; N],
    },
    /// Not a record: another number of fields than the header, or not UTF-8.
    Broken {
        line: u64,
        detail: String,
    },
}

impl<R: Read, const N: usize> Table<R, N> {
    pub(crate) fn open(reader: R, names: [&'static str; N]) -> Result<Self, ReadError> {
        let mut reader = csv::Reader::from_reader(reader);
        let headers = reader.headers().map_err(|fault| match fault.is_io_error() {
            true => ReadError::Io(fault.into()),
            false => ReadError::Header(fault),
        })?;
        let mut columns = [0; N];
        for (place, column) in columns.iter_mut().zip(names) {
            *place = headers
                .iter()
                .position(|header| header == column)
                .ok_or(ReadError::MissingColumn { column })?;
        }
        Ok(Self { reader, columns, record: csv::StringRecord::new() })
    }

    /// The next line, or `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_, N>>, ReadError> {
        let here = self.reader.position().line();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = self.record.position().map_or(here, csv::Position::line);
                let fields = self.columns.map(|column| self.record[column].trim());
                Ok(Some(Row::Fields { line, fields }))
            }
            Err(fault) if fault.is_io_error() => Err(ReadError::Io(fault.into())),
            Err(fault) => {
                let line = fault.position().map_or(here, csv::Position::line);
                Ok(Some(Row::Broken { line, detail: fault.to_string() }))
            }
        }
    }
}

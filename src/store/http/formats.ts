/**
 * Formats of rows that need nothing but the rows. Missing are those that read schemas or templates from files or registries (Protobuf,
 * CapnProto, AvroConfluent, Template), look into files (DWARF, ParquetMetadata), or speak the protocols of other servers.
 */
const LISTED = `
  Arrow ArrowStream Avro BSONEachRow Buffers CSV CSVWithNames CSVWithNamesAndTypes CustomSeparated CustomSeparatedIgnoreSpaces
  CustomSeparatedIgnoreSpacesWithNames CustomSeparatedIgnoreSpacesWithNamesAndTypes CustomSeparatedWithNames
  CustomSeparatedWithNamesAndTypes Form GeoJSON Hash JSON JSONAsObject JSONAsString JSONColumns JSONColumnsWithMetadata JSONCompact
  JSONCompactColumns JSONCompactEachRow JSONCompactEachRowWithNames JSONCompactEachRowWithNamesAndTypes
  JSONCompactEachRowWithProgress JSONCompactStrings JSONCompactStringsEachRow JSONCompactStringsEachRowWithNames
  JSONCompactStringsEachRowWithNamesAndTypes JSONCompactStringsEachRowWithProgress JSONEachRow JSONEachRowWithProgress JSONL
  JSONLines JSONObjectEachRow JSONStrings JSONStringsEachRow JSONStringsEachRowWithProgress LineAsString LineAsStringWithNames
  LineAsStringWithNamesAndTypes MD Markdown MsgPack MySQLDump NDJSON Native Npy Null ODBCDriver2 ORC PNG Parquet Pretty
  PrettyCompact PrettyCompactMonoBlock PrettyCompactNoEscapes PrettyCompactNoEscapesMonoBlock PrettyJSONEachRow PrettyJSONLines
  PrettyMonoBlock PrettyNDJSON PrettyNoEscapes PrettyNoEscapesMonoBlock PrettySpace PrettySpaceMonoBlock PrettySpaceNoEscapes
  PrettySpaceNoEscapesMonoBlock Prometheus Raw RawBLOB RawWithNames RawWithNamesAndTypes Regexp RowBinary RowBinaryWithDefaults
  RowBinaryWithNames RowBinaryWithNamesAndTypes RowBinaryWithNamesAndTypesAndDefaults SQLInsert TSKV TSV TSVRaw TSVRawWithNames
  TSVRawWithNamesAndTypes TSVWithNames TSVWithNamesAndTypes TabSeparated TabSeparatedRaw TabSeparatedRawWithNames
  TabSeparatedRawWithNamesAndTypes TabSeparatedWithNames TabSeparatedWithNamesAndTypes Values Vertical XML
`;

const FORMATS: ReadonlySet<string> = new Set(LISTED.split(/\s+/).filter(Boolean));

/** Whether rows may be asked for or sent in this format. */
export const isAllowedFormat = (name: string): boolean => FORMATS.has(name);

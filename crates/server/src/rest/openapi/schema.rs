//! Words for the schemas of bodies and answers.

use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, ObjectBuilder, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Schema as Inline};

/// A schema, or the name of one.
pub(in crate::rest) type Schema = RefOr<Inline>;

fn of(kind: Type) -> Schema {
    ObjectBuilder::new().schema_type(kind).into()
}

/// A string.
pub(in crate::rest) fn string() -> Schema {
    of(Type::String)
}

/// One of some strings.
pub(in crate::rest) fn one_of<const N: usize>(texts: [&str; N]) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(texts))
        .into()
}

/// A whole number.
pub(in crate::rest) fn integer() -> Schema {
    of(Type::Integer)
}

/// A whole number within bounds.
pub(in crate::rest) fn within(from: i64, to: i64) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(from))
        .maximum(Some(to))
        .into()
}

/// A number.
pub(in crate::rest) fn number() -> Schema {
    of(Type::Number)
}

/// True or false.
pub(in crate::rest) fn boolean() -> Schema {
    of(Type::Boolean)
}

/// Any JSON.
pub(in crate::rest) fn any() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .into()
}

/// Any JSON object.
pub(in crate::rest) fn any_object() -> Schema {
    of(Type::Object)
}

/// An array of these.
pub(in crate::rest) fn array(items: Schema) -> Schema {
    ArrayBuilder::new().items(items).into()
}

/// An object of these, under names that calls choose.
pub(in crate::rest) fn map(values: Schema) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::RefOr(values)))
        .into()
}

/// An object of these fields. Those whose name ends in `?` may be absent.
pub(in crate::rest) fn object<const N: usize>(fields: [(&str, Schema); N]) -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let add = |object: ObjectBuilder, (name, schema): (&str, Schema)| match name.strip_suffix('?') {
        Some(name) => object.property(name, schema),
        None => object.property(name, schema).required(name),
    };
    fields.into_iter().fold(object, add).into()
}

/// `{}`.
pub(in crate::rest) fn empty() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .max_properties(Some(0))
        .into()
}

/// Any of these.
pub(in crate::rest) fn either<const N: usize>(schemas: [Schema; N]) -> Schema {
    let any_of = AnyOfBuilder::new();
    schemas.into_iter().fold(any_of, AnyOfBuilder::item).into()
}

/// One of the document's named shapes.
pub(in crate::rest) fn shape(name: &str) -> Schema {
    Ref::from_schema_name(name).into()
}

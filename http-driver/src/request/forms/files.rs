//! The files of a form.

use std::slice;

use super::UploadedFile;

/// The files of a `multipart/form-data` request, by the name of their field (`files` in Pants).
/// Several may have the same name; their order is kept.
///
/// Needs the feature `forms`.
///
/// ```
/// use httpants_driver::Request;
///
/// async fn sizes(request: Request) -> String {
///     let files = request.files();
///     for file in files {
///         println!("{}: {} bytes", file.name(), file.len());
///     }
///     let photos = files.all("photo").map(|photo| photo.len().to_string());
///     photos.collect::<Vec<_>>().join(" ")
/// }
/// # let _ = sizes;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<UploadedFile>);

impl Files {
    pub(crate) fn push(&mut self, file: UploadedFile) {
        self.0.push(file);
    }

    /// Returns the first file of this field, chosen or not. Names are case-sensitive.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&UploadedFile> {
        self.iter().find(|file| file.name() == field)
    }

    /// Returns the first file of this field that the user has chosen
    /// ([`is_chosen`](UploadedFile::is_chosen)). Browsers send an empty file without a name for an
    /// input without a choice, which [`get`](Self::get) returns.
    ///
    /// ```
    /// use httpants_driver::Request;
    ///
    /// async fn photo(request: Request) -> String {
    ///     match request.files().chosen("photo") {
    ///         Some(photo) => format!("{} bytes\n", photo.len()),
    ///         None => "no photo chosen\n".to_owned(),
    ///     }
    /// }
    /// # let _ = photo;
    /// ```
    #[must_use]
    pub fn chosen(&self, field: &str) -> Option<&UploadedFile> {
        self.iter().find(|file| file.name() == field && file.is_chosen())
    }

    /// Iterates over the files of this field in order.
    pub fn all(&self, field: &str) -> impl Iterator<Item = &UploadedFile> {
        self.iter().filter(move |file| file.name() == field)
    }

    /// Iterates over all files in order; [`name`](httpants_core::forms::Part::name) is their
    /// field's name.
    pub fn iter(&self) -> slice::Iter<'_, UploadedFile> {
        self.0.iter()
    }

    /// Returns the number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All files, as [`iter`](Files::iter) returns them.
impl<'a> IntoIterator for &'a Files {
    type Item = &'a UploadedFile;
    type IntoIter = slice::Iter<'a, UploadedFile>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

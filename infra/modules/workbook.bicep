// A workbook with the queries of docs/operations.md.
param insightsName string
param location string
param tags object

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

var queries = [
  {
    name: 'slowest-questions'
    title: 'The slowest questions of the last day'
    text: loadTextContent('../queries/slowest-questions.kql')
  }
  {
    name: 'connections-and-cache'
    title: 'Connection reuse and cache hits by hour'
    text: loadTextContent('../queries/connections-and-cache.kql')
  }
  {
    name: 'cold-starts'
    title: 'Cold starts, compared with the other questions that the model answered'
    text: loadTextContent('../queries/cold-starts.kql')
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insights.id, 'questions')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Questions'
    category: 'workbook'
    sourceId: insights.id
    version: '1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: map(queries, (query) => {
        type: 3
        name: query.name
        content: {
          version: 'KqlItem/1.0'
          title: query.title
          query: query.text
          size: 0
          queryType: 0
          resourceType: 'microsoft.insights/components'
        }
      })
    })
  }
}
